"""The reader on files that PyTorch wrote (see make_data.py); PyTorch itself is not needed."""

from __future__ import annotations

import io
import pickle
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from terraspore.engine.errors import CheckpointError
from terraspore.training.weights import read_torch

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize("name", ["numbers.pth", "numbers_old.pth"])
def test_tensors_of_all_kinds(name):
    found = read_torch(DATA / name)
    expected = np.load(DATA / "numbers.npz")
    assert set(found) == set(expected.files)
    for key in expected.files:
        assert found[key].shape == expected[key].shape
        np.testing.assert_array_equal(found[key].astype(np.float32), expected[key])
    assert found["half"].dtype == np.float16
    assert found["bfloat16"].dtype == np.float32
    assert found["double"].dtype == np.float64
    assert found["long"].dtype == np.int64
    assert found["flags"].dtype == np.bool_


def test_legacy_files_with_gpu_storages():
    found = read_torch(DATA / "ancient.th")
    assert found["module.a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["module.b"].tolist() == [1.5]


@pytest.mark.parametrize("name", ["malicious.pth", "malicious_old.pth"])
def test_nothing_in_a_file_is_executed(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"object .*system.* run any program"):
        read_torch(DATA / name)
    assert not list(tmp_path.iterdir())


def test_pickled_models_are_refused_with_a_hint():
    with pytest.raises(CheckpointError, match=r"Sequential.*state_dict"):
        read_torch(DATA / "whole_model.pth")


def test_weights_inside_a_training_file_are_found():
    found = read_torch(DATA / "dlinknet34.pth")
    assert "module.finalconv3.bias" in found


def archive(pickled: bytes, members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        target.writestr("archive/data.pkl", pickled)
        for name, content in members.items():
            target.writestr(f"archive/{name}", content)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "not a PyTorch file"),
        (b"hello", "not a PyTorch file"),
        (pickle.dumps({"a": 1}), "not a PyTorch file"),
        (archive(pickle.dumps({"a": 1}), {}), "no dictionary of tensors"),
        (archive(pickle.dumps({"a": 1}), {"constants.pkl": b""}), "TorchScript"),
        (archive(b"\x80\x02cbuiltins\neval\n(X\x01\x00\x00\x001tR.", {}), "builtins.eval"),
        (archive(b"\x80\x02cbuiltins\nobject\n)\x81.", {}), "builtins.object"),
        (archive(b"\x80\x02(ibuiltins\nobject\n.", {}), "object"),
        (archive(b"\x80\x02}", {}), "no end|damaged"),
        (archive(b"\x80\x02R.", {}), "damaged"),
        (archive(b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fx.", {}), "damaged"),
        (archive(b"\x80\x02\x82\x01.", {}), "EXT1"),
    ],
)
def test_other_files_are_refused(content, part, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=part):
        read_torch(path)


def test_views_beyond_their_storage_are_refused(tmp_path):
    good = (DATA / "numbers.pth").read_bytes()
    with zipfile.ZipFile(io.BytesIO(good)) as source:
        members = {name.partition("/")[2]: source.read(name) for name in source.namelist()}
    pickled = members.pop("data.pkl")
    first = members["data/0"]
    path = tmp_path / "short.pth"
    path.write_bytes(archive(pickled, {**members, "data/0": first[:-4]}))
    with pytest.raises(CheckpointError, match="wrong length"):
        read_torch(path)
    # The plain tensor's shape is (2, 3, 4): make it (2, 3, 200).
    assert pickled.count(b"K\x02K\x03K\x04\x87") >= 1
    path.write_bytes(archive(pickled.replace(b"K\x02K\x03K\x04\x87", b"K\x02K\x03K\xc8\x87", 1), members))
    with pytest.raises(CheckpointError, match="beyond its storage"):
        read_torch(path)


@given(st.sampled_from(["numbers.pth", "numbers_old.pth", "ancient.th"]), st.data())
@settings(max_examples=300)
def test_damaged_files_give_an_error_or_arrays(name, data):
    content = bytearray((DATA / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.sampled_from([len(content), len(content) // 2, len(content) - 3]))
    with tempfile.NamedTemporaryFile(suffix=".pth") as stream:
        stream.write(content[:end])
        stream.flush()
        try:
            found = read_torch(Path(stream.name))
        except CheckpointError as error:
            assert str(error).endswith(".")  # noqa: PT017 (either outcome is right)
        else:
            assert all(isinstance(array, np.ndarray) for array in found.values())

"""The reader of MindSpore's checkpoints: right on good files, and a sentence on all others."""

import os
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from terraspore.engine.errors import CheckpointError
from terraspore.engine.models import checkpoint as module
from terraspore.engine.models.checkpoint import read_checkpoint, write_checkpoint

TYPES = [
    "float16",
    "float32",
    "float64",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "bool",
]


def message(number, content):
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def entry(name="w", dims=(2, 3), kind="Float32", content=None, packed=False):
    """One value as the protobuf specification says it, written independently of the writer."""
    if content is None:
        content = np.arange(6, dtype="<f4").tobytes()
    if packed:
        shape = message(1, b"".join(varint(dim) for dim in dims))
    else:
        shape = b"".join(b"\x08" + varint(dim) for dim in dims)
    tensor = shape + message(2, kind.encode()) + message(3, content)
    return message(1, message(1, name.encode()) + message(2, tensor))


@pytest.fixture
def read(tmp_path):
    def run(content):
        path = tmp_path / "x.ckpt"
        path.write_bytes(content)
        return read_checkpoint(path)

    return run


def same(one, other):
    return list(one) == list(other) and all(
        one[key].dtype == other[key].dtype and one[key].shape == other[key].shape and (one[key] == other[key]).all()
        for key in one
    )


@pytest.mark.parametrize("packed", [False, True])
def test_a_tensor_is_read_as_the_specification_says(read, packed):
    tensors = read(entry(packed=packed))
    assert same(tensors, {"w": np.arange(6, dtype=np.float32).reshape(2, 3)})


def test_scalars_text_and_bfloat16(read):
    numbers = np.array([1.5, -2.0, 3.140625], np.float32)
    narrow = (numbers.view(np.uint32) >> 16).astype("<u2").tobytes()
    tensors = read(
        entry("step", (0,), "Int32", (7).to_bytes(4, "little"))
        + entry("note", (0,), "str", "hello".encode("utf-32-le"))
        + entry("b", (3,), "BFloat16", narrow)
        + entry("flags", (2,), "Bool", b"\x01\x00")
    )
    assert list(tensors) == ["step", "b", "flags"]
    assert tensors["step"].shape == ()
    assert tensors["step"] == 7
    assert (tensors["b"] == numbers).all()
    assert tensors["b"].dtype == np.float32
    assert tensors["flags"].tolist() == [True, False]


def test_the_pieces_of_a_large_tensor_are_joined(read, tmp_path, monkeypatch):
    content = np.arange(6, dtype="<f4").tobytes()
    tensors = read(entry(content=content[:10]) + entry(content=content[10:]) + entry("v"))
    assert (tensors["w"].reshape(-1) == np.arange(6)).all()
    assert list(tensors) == ["w", "v"]
    monkeypatch.setattr(module, "CHUNK_BYTES", 64)
    large = {"large": np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)}
    write_checkpoint(tmp_path / "y.ckpt", large)
    assert (tmp_path / "y.ckpt").read_bytes().count(b"large") == 3
    assert same(read_checkpoint(tmp_path / "y.ckpt"), large)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no tensors"),
        (entry(content=b"\0" * 20), "20 bytes where Float32"),
        (entry(content=b"\0" * 28), "28 bytes where Float32"),
        (entry(dims=()), "24 bytes where Float32"),
        (entry(dims=(2, 0, 3)), "dimensions"),
        (entry(dims=(1 << 63, 6)), "dimensions"),
        (entry(dims=(1,) * 9), "more than 8 dimensions"),
        (entry(dims=(1,) * 300, packed=True), "more than 8 dimensions"),
        (entry(kind="Float8"), "unknown type 'Float8'"),
        (entry(kind="Bool", dims=(1,), content=b"\x02"), "holds other values"),
        (entry(content=np.array([0, 1, np.nan, 0, 0, 0], "<f4").tobytes()), "not finite"),
        (entry(content=np.array([0, 1, np.inf, 0, 0, 0], "<f4").tobytes()), "not finite"),
        (entry(kind="BFloat16", dims=(1,), content=b"\x80\x7f"), "not finite"),
        (entry(kind="Float16", dims=(1,), content=b"\x00\xfc"), "not finite"),
        (entry("w") + entry("v") + entry("w"), "holds w twice"),
        (entry("w") + entry("w"), "48 bytes where"),
        (entry("w") + entry("w", dims=(3, 2)), "pieces that do not fit"),
        (entry("") + entry("v"), "a name of 0 bytes"),
        (entry("a\nb"), "unprintable"),
        (entry("n" * 2000), "a name of 2000 bytes"),
        (message(1, message(1, b"\xff") + message(2, b"")), "not UTF-8"),
        (message(2, b"x"), "unknown field 2"),
        (message(1, message(1, b"map") + message(3, b"")), "map parameter"),
        (message(1, message(1, b"w")), "without a name or a tensor"),
        (message(1, message(1, b"w") + message(2, b"")), "without a type"),
        (entry()[:-1], "passes the end"),
        (entry() + b"\x0a", "cut off"),
        (entry() + b"\x0a" + b"\xff" * 11, "more than 64 bits"),
        (b"\x0d\0\0\0\0", "a number stands where"),
        (b"\x0c" + b"\0" * 50, "wire type 4"),
        (b"\x02\0", "number 0"),
        (b"PK\x03\x04" + b"\0" * 50, "no MindSpore checkpoint"),
    ],
)
def test_a_faulty_file_is_refused_with_the_reason(read, content, message):
    with pytest.raises(CheckpointError, match=message):
        read(content)


def test_the_crc_is_checked(read):
    content = entry()
    trailer = b"crc_num" + zlib.crc32(content).to_bytes(10, "big")
    assert list(read(content + trailer)) == ["w"]
    with pytest.raises(CheckpointError, match="CRC-32"):
        read(content[:-1] + b"\x01" + trailer)


def test_files_that_are_none_are_refused_at_once(tmp_path):
    with pytest.raises(CheckpointError, match="no file"):
        read_checkpoint(tmp_path / "absent.ckpt")
    with pytest.raises(CheckpointError):
        read_checkpoint(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.ckpt")
        with pytest.raises(CheckpointError, match="not a regular file"):
            read_checkpoint(tmp_path / "pipe.ckpt")


def test_a_file_of_terabytes_is_refused_by_its_size(tmp_path):
    path = tmp_path / "huge.ckpt"
    with path.open("wb") as file:
        file.truncate(1 << 42)
    with pytest.raises(CheckpointError, match="at most"):
        read_checkpoint(path)


def test_unwanted_tensors_are_checked_and_left_out(tmp_path):
    path = tmp_path / "x.ckpt"
    path.write_bytes(entry("w") + entry("moment1.w"))
    assert list(read_checkpoint(path, wanted=lambda name: name == "w")) == ["w"]
    path.write_bytes(entry("w") + entry("moment1.w", content=b"1234"))
    with pytest.raises(CheckpointError, match=r"moment1\.w"):
        read_checkpoint(path, wanted=lambda name: name == "w")


@settings(max_examples=60)
@given(data=st.data())
def test_what_is_written_is_read_back(tmp_path, data):
    names = data.draw(
        st.lists(st.from_regex(r"[a-z]{1,5}(\.[a-z0-9]{1,5}){0,2}", fullmatch=True), min_size=1, unique=True)
    )
    tensors = {}
    for name in names:
        dtype = np.dtype(data.draw(st.sampled_from(TYPES)))
        shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=4, max_side=4))
        finite = {"allow_nan": False, "allow_infinity": False} if dtype.kind == "f" else {}
        tensors[name] = data.draw(hnp.arrays(dtype, shape, elements=hnp.from_dtype(dtype, **finite)))
    write_checkpoint(tmp_path / "x.ckpt", tensors)
    assert same(read_checkpoint(tmp_path / "x.ckpt"), tensors)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("w", np.array([np.nan])),
        ("w", np.zeros((0, 2))),
        ("w", np.array(["text"])),
        ("", np.zeros(1)),
        ("w\0", np.zeros(1)),
        ("w", np.zeros((1,) * 9)),
    ],
)
def test_what_cannot_be_read_is_not_written(tmp_path, name, array):
    with pytest.raises(CheckpointError):
        write_checkpoint(tmp_path / "x.ckpt", {"good": np.zeros(1), name: array})
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a small checkpoint, with and without its CRC trailer."""
    path = tmp_path_factory.mktemp("whole") / "x.ckpt"
    random = np.random.default_rng(1)
    write_checkpoint(
        path,
        {
            "conv.weight": random.normal(size=(4, 3, 3, 3)).astype(np.float32),
            "norm.gamma": random.normal(size=4).astype(np.float16),
            "step": np.array(3, np.int32),
        },
    )
    content = path.read_bytes()
    return content[:-17], content


def survives(path, content):
    """Read ``content``: either a sentence, or tensors whose values are finite."""
    path.write_bytes(content)
    try:
        tensors = read_checkpoint(path)
    except CheckpointError:
        return None
    assert all(np.isfinite(tensor).all() for tensor in tensors.values())
    return tensors


def test_every_cut_is_refused_or_a_whole_beginning(whole, tmp_path):
    bare, sealed = whole
    tensors = survives(tmp_path / "x.ckpt", bare)
    for length in range(len(bare)):
        found = survives(tmp_path / "x.ckpt", bare[:length])
        if found is not None:  # cut between two tensors
            assert same(found, dict(list(tensors.items())[: len(found)]))
            assert len(found) < len(tensors)
    assert survives(tmp_path / "x.ckpt", sealed[:-1]) is None


@settings(max_examples=400)
@given(at=st.floats(0, 0.999), byte=st.integers(0, 255), how=st.sampled_from(["changed", "cut", "doubled", "added"]))
def test_any_single_damage_is_survived(whole, tmp_path, at, byte, how):
    bare, sealed = whole
    for content in (bare, sealed):
        index = int(at * len(content))
        tail = {
            "changed": bytes([byte]) + content[index + 1 :],
            "cut": content[index + 1 :],
            "doubled": content[index : index + 1] + content[index:],
            "added": bytes([byte]) + content[index:],
        }[how]
        damaged = content[:index] + tail
        found = survives(tmp_path / "x.ckpt", damaged)
        if content is sealed and damaged != content and index < len(content) - 17:
            assert found is None, "the CRC must notice every damage before it"


@settings(max_examples=200)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_survived(tmp_path, content):
    survives(tmp_path / "x.ckpt", content)
    survives(tmp_path / "x.ckpt", entry() + content)


@pytest.mark.mindspore
def test_mindspore_loads_what_is_written_and_the_other_way_round(tmp_path, monkeypatch):
    # For MindSpore's import; the runtimes of later tests are not to see it.
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", os.environ.get("ONEDNN_MAX_CPU_ISA", "AVX2"))
    mindspore = pytest.importorskip("mindspore", reason="MindSpore is not installed")
    random = np.random.default_rng(5)
    tensors = {
        "a.weight": random.normal(size=(3, 2, 5)).astype(np.float16),
        "a.bias": random.normal(size=3).astype(np.float32),
        "step": np.array(9, np.int32),
        "on": np.array([True, False]),
    }
    write_checkpoint(tmp_path / "ours.ckpt", tensors)
    loaded = mindspore.load_checkpoint(str(tmp_path / "ours.ckpt"), crc_check=True)
    assert same({name: parameter.asnumpy() for name, parameter in loaded.items()}, tensors)
    entries = [{"name": name, "data": mindspore.Tensor(tensor)} for name, tensor in tensors.items()]
    mindspore.save_checkpoint(entries, str(tmp_path / "theirs.ckpt"), crc_check=True)
    assert same(read_checkpoint(tmp_path / "theirs.ckpt"), tensors)

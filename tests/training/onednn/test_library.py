"""Where the operators cannot be had, training says why, and goes on unless they were asked for."""

import shutil
from pathlib import Path

import pytest
from mindspore import nn
from terraspore.engine.errors import ParameterError, RuntimeUnavailableError
from terraspore.training.config import TrainConfig
from terraspore.training.onednn import select_convolutions
from terraspore.training.onednn.library import load_library

pytestmark = pytest.mark.mindspore


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TERRASPORE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize(
    ("compiler", "reason"),
    [("no-such-compiler", r"no C\+\+ compiler \(no-such-compiler\)"), ("false", "convolution.cpp")],
)
def test_without_a_compiler_that_works_auto_leaves_the_network_as_it_is(
    compiler: str, reason: str, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", compiler)
    replace, remark = select_convolutions(TrainConfig())
    assert remark.startswith("Convolutions are MindSpore's") and compiler in remark
    layer = nn.Conv2d(1, 1, 3)
    primitive = layer.conv2d
    assert replace(layer).conv2d is primitive
    with pytest.raises(RuntimeUnavailableError, match=reason):
        select_convolutions(TrainConfig(convolution="onednn"))
    assert not list(empty_cache.glob("*"))


def test_a_damaged_library_is_compiled_anew(empty_cache: Path) -> None:
    remark = select_convolutions(TrainConfig())[1]
    if "compiler" in remark:
        pytest.skip("There is no C++ compiler.")
    (path,) = empty_cache.glob("*")
    whole = path.read_bytes()
    # Loaded as it is, such a file would end the process; it must not be changed in place while it is loaded.
    path.unlink()
    path.write_bytes(whole[:3000])
    assert select_convolutions(TrainConfig())[1] == remark
    assert [entry.stat().st_size for entry in empty_cache.glob("*")] == [len(whole)]


@pytest.mark.parametrize(("name", "sentence"), [("file", "cannot be written into"), ("c:d", "colon")])
def test_cache_folders_that_do_not_serve(
    name: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TERRASPORE_CACHE", str(tmp_path / name))
    remark = select_convolutions(TrainConfig())[1]
    assert sentence in remark or "compiler" in remark


def test_compiler_with_options_and_a_path_that_is_not_plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (compiler := shutil.which("c++")):
        pytest.skip("There is no C++ compiler.")
    cache = tmp_path / "a b, ü"
    monkeypatch.setenv("TERRASPORE_CACHE", str(cache))
    monkeypatch.setenv("CXX", f"{compiler} -O1")
    assert load_library(1).path.parent == cache


def test_other_types_and_devices_keep_mindspores(empty_cache: Path) -> None:
    remark = select_convolutions(TrainConfig(amp="O2"))[1]
    assert "train.amp=O0" in remark
    assert select_convolutions(TrainConfig(device="Ascend"))[1] == ""
    assert select_convolutions(TrainConfig(convolution="mindspore"))[1] == ""
    with pytest.raises(ParameterError, match=r"train\.device=CPU"):
        select_convolutions(TrainConfig(convolution="onednn", device="Ascend"))


def test_no_cache_folder_no_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRASPORE_CACHE", "")
    with pytest.raises(RuntimeUnavailableError, match="cache folder"):
        load_library(1)

"""Kernels as plain Python, where numba is missing; a cache of kernels that is damaged or cannot be written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyogrio
import pytest
from terraspore.engine.vector import jit as module
from terraspore.engine.vector.jit import jit

Writer = Callable[..., Path]


def test_vectors_are_the_same_without_numba_and_a_message_warns(tmp_path: Path, write_raster: Writer) -> None:
    """The same features from plain Python, in a process that cannot import numba."""
    mask = np.zeros((160, 160), np.uint8)
    cv2.polylines(mask, [np.array([[0, 80], [70, 80]]), np.array([[95, 80], [159, 80]])], False, 255, 7)
    cv2.polylines(mask, [np.array([[120, 80], [120, 159]])], False, 255, 7)
    classes = np.kron(np.array([[1, 2, 2], [2, 1, 2], [3, 3, 0]], np.uint8), np.ones((20, 20), np.uint8))
    roads, classes = write_raster(mask, "roads.tif"), write_raster(classes, "classes.tif", nodata=0)
    code = """
import sys
if sys.argv[1] == "plain":
    sys.modules["numba"] = None
from terraspore.engine.cli import run
sys.exit(max(run(["vectorize", "roads", sys.argv[2], "-o", sys.argv[4] + "_roads.gpkg", "--min-length", "20"]),
             run(["vectorize", "landcover", sys.argv[3], "-o", sys.argv[4] + "_landcover.gpkg"])))
"""
    texts = {}
    for kind in ("compiled", "plain"):
        command = [sys.executable, "-c", code, kind, str(roads), str(classes), str(tmp_path / kind)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        texts[kind] = done.stderr
    assert "numba is not installed" in texts["plain"]
    assert "numba" not in texts["compiled"]
    for name, layers in (("roads", ("roads", "road_nodes", "road_areas")), ("landcover", ("landcover",))):
        for layer in layers:
            one, other = (pyogrio.raw.read(tmp_path / f"{k}_{name}.gpkg", layer=layer) for k in texts)
            assert one[2].tolist() == other[2].tolist()
            assert [repr(c.tolist()) for c in one[3]] == [repr(c.tolist()) for c in other[3]]


def double(value: int) -> int:
    """Be a kernel."""
    return 2 * value


def test_a_kernel_is_compiled_once_for_all_integers_of_other_kernels() -> None:
    """For a literal, an int32, an int64 and a keyword; floats and unsigned integers stay what they are."""
    pytest.importorskip("numba")
    inner = jit(double)

    @jit
    def outer(values: np.ndarray, numbers: np.ndarray) -> tuple[int, int, int, int, float]:
        return inner(3), inner(values[0]), inner(numbers[0]), inner(value=7), inner(0.25)

    assert outer(np.array([5], np.int32), np.array([6], np.int64)) == (6, 10, 12, 14, 0.5)
    assert sorted(str(signature) for signature in inner.signatures) == ["(float64,)", "(int64,)"]


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of compiled kernels."""
    config = pytest.importorskip("numba").config
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "kernels"))
    return tmp_path / "kernels"


@pytest.mark.parametrize("content", [b"", bytes(600), b"\x80\x04\x95"])
@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_damaged_kernel_is_compiled_and_kept_again(kernels: Path, ending: str, content: bytes) -> None:
    assert jit(double)(1) == 2
    (path,) = kernels.rglob(f"*.{ending}")
    path.write_bytes(content)
    assert jit(double)(2) == 4
    kernel = jit(double)
    assert kernel(3) == 6
    assert sum(kernel.stats.cache_hits.values()) == 1


@pytest.mark.parametrize("is_damaged", [False, True])
def test_kernel_runs_where_it_cannot_be_kept(
    kernels: Path, monkeypatch: pytest.MonkeyPatch, *, is_damaged: bool
) -> None:
    """As on a full disk."""
    if is_damaged:
        jit(double)(1)
        for path in kernels.rglob("*.nbi"):
            path.write_bytes(b"")

    def refuse(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile._save_index", refuse)
    assert jit(double)(2) == 4


def test_kernels_that_two_processes_compile_at_the_same_time_are_not_mixed_up(kernels: Path) -> None:
    """The other one has read the index before, and saves another type while the first one saves its own."""
    one, other = jit(double), jit(double)
    files = [kernel._cache._cache_file for kernel in (one, other)]
    files[1]._load_index = dict
    save_data = files[0]._save_data

    def save_later(*arguments: object) -> None:
        assert other(0.25) == 0.5
        save_data(*arguments)

    files[0]._save_data = save_later
    assert one(1) == 2
    again = jit(double)
    assert (again(0.25), again(2)) == (0.5, 4)


def test_code_of_older_sources_is_not_named_by_a_process_that_ends(
    kernels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends after it has compiled the kernel of newer sources, where it would write the code."""
    assert jit(double)(1) == 2
    monkeypatch.setattr(module, "stamp_sources", lambda _: "newer")
    ended, after = jit(double), jit(double)

    def end(*_arguments: object) -> None:
        raise KeyboardInterrupt

    ended._cache._cache_file._save_data = end
    with pytest.raises(KeyboardInterrupt):
        ended(1)
    assert after(1) == 2
    assert sum(after.stats.cache_hits.values()) == 0


#: Modules of the engine: a kernel that takes a constant, a tuple and a kernel from others, and that from a third.
MODULES = {
    "limits": "MARGIN = 1\n",
    "rules": """
from typing import NamedTuple
from . import limits
from .jit import jit
FACTOR = 10
class Row(NamedTuple):
    value: int
    @property
    def unused(self) -> int: return 5
@jit
def add_margin(value): return value + limits.MARGIN
""",
    "caller": """
from .jit import jit
from .rules import FACTOR, Row, add_margin
@jit
def compute(value): return FACTOR * add_margin(Row(value).value)
""",
}
RUN_CALLER = """
import sys
import terraspore.engine.vector
terraspore.engine.vector.__path__.append(sys.argv[1])
from terraspore.engine.vector.caller import compute
print(compute(2), sum(compute.stats.cache_hits.values()))
"""


def test_kernel_is_compiled_again_when_what_it_takes_from_other_files_has_changed(tmp_path: Path) -> None:
    """Otherwise the machine code on the disk has the old rules, and the tests test those."""
    pytest.importorskip("numba")

    def run(module: str = "limits", old: str = "", new: str = "") -> list[int]:
        modules[module] = modules[module].replace(old, new)
        for name, text in modules.items():
            (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kernels"), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", RUN_CALLER, str(tmp_path)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=True)
        return [int(number) for number in done.stdout.split()]

    modules = dict(MODULES)
    assert run() == [30, 0]
    assert run() == [30, 1]
    assert run("limits", "= 1", "= 2") == [40, 0]
    assert run("rules", "= 10", "= 7") == [28, 0]
    assert run("rules", "value + ", "value - ") == [0, 0]
    assert run("rules", "return 5", "return 6") == [0, 0]  # any change of the file
    (tmp_path / "other.py").write_text("LIMIT = 3", encoding="utf-8")
    assert run() == [0, 1]
    assert len(list((tmp_path / "kernels").rglob("*compute*.nbc"))) == 1  # in place of the old ones


def test_kernel_runs_where_no_folder_can_be_written(kernels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.core.caching.CacheImpl._locator_classes", [])
    assert jit(double)(2) == 4
    assert not kernels.exists()


def test_kernels_run_where_compilation_is_switched_off() -> None:
    script = "from terraspore.engine.vector.jit import jit; print(jit(lambda number: number + 1)(2))"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n", "")

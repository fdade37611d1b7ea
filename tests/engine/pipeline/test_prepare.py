"""What `prepare` compiles is all that a run needs."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from terraspore.engine.cli.main import run
from terraspore.engine.errors import SourceError
from terraspore.engine.fs.atomic import run_abort_cleanups
from terraspore.engine.pipeline import prepare
from terraspore.engine.runtimes.cache import FOLDER_VARIABLE
from terraspore.engine.vector.jit import HAS_NUMBA

#: Runs a command after `prepare`, and prints the kernels that had to be compiled or loaded for it.
PROGRAM = """
import sys
from terraspore.engine.cli.main import run

def list_kernels():
    kernels = [value for name, module in list(sys.modules.items()) if name.startswith("terraspore.")
               for value in vars(module).values() if hasattr(value, "signatures")]
    return {(kernel.__name__, signature) for kernel in kernels for signature in kernel.signatures}

assert run(["prepare"]) == 0
before = list_kernels()
for arguments in (line.split("\\t") for line in sys.argv[1:]):
    assert run(arguments) == 0
print(len(before), *sorted(name for name, _ in list_kernels() - before))
"""


@pytest.mark.skipif(not HAS_NUMBA, reason="numba is not installed")
def test_runs_after_prepare_need_no_other_kernels(tmp_path):
    """Land cover of random patches, so that the data differ from those of the demo image."""
    random = np.random.default_rng(3)
    classes = np.kron(random.integers(0, 5, (90, 70), np.uint8), np.ones((3, 3), np.uint8))
    raster = tmp_path / "classes.tif"
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": 0, "crs": "EPSG:32632"}
    transform = rasterio.transform.from_origin(500000, 5000000, 1, 1)
    with rasterio.open(raster, "w", height=270, width=210, transform=transform, **profile) as dataset:
        dataset.write(classes, 1)
    command = ["vectorize", "landcover", str(raster), "-o", str(tmp_path / "l.gpkg"), "--minimum-area", "40"]
    done = subprocess.run([sys.executable, "-c", PROGRAM, "\t".join(command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    count, *late = done.stdout.splitlines()[-1].split()
    assert int(count) > 20
    assert not late


def test_prepare_compiles_the_default_models_once_and_reports_its_progress(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert run(["prepare", "--json"]) == 0
    *events, result = map(json.loads, capfd.readouterr().out.splitlines())
    progress = [event for event in events if event["type"] == "progress"]
    assert {event["stage"] for event in progress} == {"prepare"}
    assert [event["done"] for event in progress] == sorted(event["done"] for event in progress)
    assert progress[-1]["done"] == progress[-1]["total"]
    assert (result["type"], result["outputs"]) == ("result", {})
    models = list(tmp_path.glob("*.blob"))
    assert len(models) == 2
    for path in models:
        os.utime(path, (100, 100))
    inodes = {path.stat().st_ino for path in models}
    assert run(["prepare"]) == 0
    assert {path.stat().st_ino for path in tmp_path.glob("*.blob")} == inodes
    assert all(path.stat().st_mtime > 100 for path in models), "the second run uses both"


def test_a_cancel_says_that_what_was_compiled_is_kept(monkeypatch, capsys):
    def cancel_within(_request, _sessions, context):
        context.cancellation.cancel()
        context.check_cancelled()

    monkeypatch.setattr(prepare, "extract_roads", cancel_within)
    assert run(["prepare"]) == 3
    error = capsys.readouterr().err
    assert "Cancelled; what was compiled so far is kept" in error
    assert "nothing was written" not in error


def test_an_exit_while_a_kernel_is_compiled_leaves_no_folder(tmp_path, monkeypatch, capsys):
    """A cancel does not wait for the compiler: the process exits after its cleanups, without leaving the block."""
    left = []

    def exit_within(request, *_rest):
        request.output.touch()
        run_abort_cleanups()
        left.extend(tmp_path.iterdir())
        raise SourceError("ended")

    monkeypatch.setattr(prepare, "extract_roads", exit_within)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run(["prepare"]) == 2
    assert "ended" in capsys.readouterr().err
    assert left == []

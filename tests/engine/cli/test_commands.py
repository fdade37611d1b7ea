"""Commands as processes: output, exit codes and cancellation."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import terraspore
from affine import Affine
from hold_point import HELD_COMMAND, MAX_LATE_BATCHES
from terraspore.__about__ import __version__
from waiting import kill_if_late, wait_for

ROOT = Path(terraspore.__file__).parent
COMMAND = (sys.executable, "-m", "terraspore")
ONNX = ("--device=cpu", "--runtime=onnxruntime", "--precision=float32", "--threads=1")


def crossing(size=200):
    pixels = np.full((3, size, size), 20, np.uint8)
    pixels[:, 96:105, :] = 245
    pixels[:, :, 46:55] = 245
    return pixels


def call(*arguments, command=COMMAND, **options):
    return subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, timeout=300, **options)


def parse_events(text):
    """Parse the lines of the machine protocol; fail on anything else."""
    return [json.loads(line) for line in text.splitlines()]


def extract_arguments(image, model, folder, *options):
    return ["extract", "roads", image, "-o", folder / "roads.gpkg", "--model", model, *ONNX, *options]


def test_machine_protocol_of_a_run(make_raster, make_model, tmp_path):
    arguments = extract_arguments(
        make_raster(crossing()), make_model(), tmp_path, "--json", f"--probability={tmp_path}/p.tif"
    )
    done = call(*arguments)
    assert done.returncode == 0, done.stderr
    events = parse_events(done.stdout)
    kinds = [event["type"] for event in events]
    assert kinds[-1] == "result"
    assert kinds.count("plan") == 1
    assert kinds.count("result") + kinds.count("error") == 1
    assert kinds.index("plan") < kinds.index("progress")
    plan, result = events[kinds.index("plan")], events[-1]
    assert {"tiles", "width", "height", "resolution", "tile", "overlap", "model", "runtime", "device", "reason"} < set(
        plan
    )
    assert plan["memory_bytes"] > 0
    assert result["outputs"] == {"roads": f"{tmp_path}/roads.gpkg", "probability": f"{tmp_path}/p.tif"}
    assert result["summary"]["roads"] == 4
    assert {event["stage"] for event in events if event["type"] == "progress"} >= {"infer"}


def test_the_text_output_is_one_line(make_raster, make_model, tmp_path):
    done = call(*extract_arguments(make_raster(crossing()), make_model(), tmp_path))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.strip().splitlines()
    assert len(lines) == 1
    assert "km of road in 4 lines" in lines[0]
    assert "onnxruntime" in lines[0]
    assert "tiles of 64" in done.stderr


@pytest.mark.parametrize("as_json", [True, False])
def test_an_error_is_one_line(tmp_path, as_json):
    done = call("info", tmp_path / "none.tif", *(["--json"] if as_json else []))
    assert done.returncode == 2
    if as_json:
        (event,) = parse_events(done.stdout)
        assert event["type"] == "error"
        assert event["code"] == "SourceError"
        assert event["exit_code"] == 2
        assert "none.tif does not exist" in event["text"]
    else:
        assert done.stdout == ""
        assert len(done.stderr.strip().splitlines()) == 1
        assert "none.tif does not exist" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "'nonsense'. The commands of 'terraspore' are: extract, segment, "),
        (["extract", "a.tif"], "The commands of 'terraspore extract' are: landcover, roads."),
        (["segment", "a.tif", "-o", "b.png"], "must end in .tif or .tiff"),
        (["segment", "a.tif"], "'terraspore segment --help' lists its options and arguments."),
        (["extract", "roads"], "IMAGE"),
        (["extract", "roads", "a.tif", "-o", "b.gpkg", "--extent=1,2,3"], "xmin,ymin,xmax,ymax"),
        (["extract", "roads", "a.tif", "-o", "b.gpkg", "--bands=a"], "1,2,3"),
        (["extract", "roads", "a.tif", "-o", "b.gpkg", "--threshold=2"], "threshold"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    done = call(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_info_describes_an_image(make_raster):
    done = call("info", make_raster(crossing(), nodata=0), "--json", "--resolution=2")
    (event,) = parse_events(done.stdout)
    summary = event["summary"]
    assert (summary["width"], summary["height"], summary["bands"], summary["type"]) == (200, 200, 3, "uint8")
    assert summary["crs"] == "EPSG:32618"
    assert summary["pixel_width_m"] == pytest.approx(1 / 0.9996, rel=1e-4)
    assert summary["transparency"] == "nodata 0.0"
    assert summary["grid_width"] == 100


def test_an_image_without_georeference_needs_the_size_of_its_pixels(make_raster, make_model, tmp_path):
    image = make_raster(crossing(), crs=None, transform=Affine.identity())
    model = make_model(np.eye(3), task="landcover")
    arguments = ["extract", "landcover", image, "-o", tmp_path / "c.gpkg", "--model", model]
    done = call(*arguments, *ONNX, "--json")
    assert done.returncode == 2
    assert "--pixel-size" in parse_events(done.stdout)[-1]["hint"]
    done = call(*arguments, *ONNX, "--pixel-size=0.1", "--json")
    assert done.returncode == 0, done.stderr
    texts = [event["text"] for event in parse_events(done.stdout) if event["type"] == "message"]
    assert "image.tif has no georeference; 0.1 m per pixel is assumed." in texts
    assert texts[1].endswith("its pixels are averaged.")
    assert texts[2] == "image.tif has no CRS: its units are taken as metres."
    assert len(texts) == 3


def test_help_imports_nothing_heavy_and_names_every_command():
    done = call("--help", command=(sys.executable, "-X", "importtime", "-m", "terraspore"))
    assert done.returncode == 0
    for name in ("extract", "segment", "info", "serve"):
        assert name in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    heavy = {"numpy", "rasterio", "shapely", "onnx", "onnxruntime", "openvino", "mindspore", "numba", "scipy", "cv2"}
    assert "click" in imported
    assert not heavy & imported


def test_the_version_is_that_of_the_distribution():
    assert call("--version").stdout == f"terraspore {__version__}\n"


def test_the_environments_settings_of_gdal_are_ignored(make_raster):
    foreign = {
        "GDAL_SKIP": "GTiff",
        "GDAL_DATA": "/nonexistent",
        "PROJ_DATA": "/nonexistent",
        "PROJ_LIB": "/nonexistent",
    }
    done = call("info", make_raster(crossing()), env={**os.environ, **foreign})
    assert done.returncode == 0, done.stderr


def test_the_plugins_folder_may_have_any_name(make_raster, tmp_path):
    folder = tmp_path / "some other-name.1"
    folder.mkdir()
    for part in ("engine", "__init__.py", "__main__.py", "__about__.py", "metadata.txt"):
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)
    script = folder / "engine" / "launch.py"
    done = call("info", make_raster(crossing()), "--json", command=(sys.executable, "-I", script), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert parse_events(done.stdout)[-1]["summary"]["width"] == 200
    load = f"import pathlib, runpy; runpy.run_path({str(script)!r})['load_package'](pathlib.Path({str(folder)!r}))"
    code = f"{load}; import terraspore.engine as engine; print(engine.__file__)"
    loaded = call("-I", "-c", code, command=(sys.executable,))
    assert loaded.stdout.strip() == str(folder / "engine" / "__init__.py")


def start_held(hold, *arguments, **options):
    """Start a command in a process that ``hold`` applies to, and wait until it is held."""
    environment = {**os.environ, **hold.environment}
    process = subprocess.Popen(
        [*HELD_COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, text=True, env=environment, **options
    )
    wait_for(lambda: hold.is_reached() or process.poll() is not None)
    assert process.poll() is None
    return process


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "end of stdin"])
def test_a_stopped_run_ends_at_the_next_batch_and_leaves_nothing(make_raster, make_model, tmp_path, hold, how):
    out = tmp_path / "out"
    out.mkdir()
    arguments = extract_arguments(make_raster(crossing(500)), make_model(), out, f"--probability={out}/p.tif", "--tta")
    process = start_held(hold.set("row", 2), *arguments, "--json", "--watch-stdin", stdin=subprocess.PIPE)
    if how == "end of stdin":
        process.stdin.close()
    else:
        process.send_signal(getattr(signal, how))
    with kill_if_late(process):
        rest = parse_events(process.stdout.read())
        assert process.wait() == 3
    assert rest[-1]["type"] == "error"
    assert rest[-1]["code"] == "Cancelled"
    assert hold.counts()["late"] <= MAX_LATE_BATCHES
    # After a signal nothing is left; after the end of stdin, because the parent process ended, the run can be resumed.
    assert [path.suffix for path in out.iterdir()] == ([".unfinished"] if how == "end of stdin" else [])


def test_a_run_that_hangs_in_a_library_is_stopped_all_the_same(make_raster, hanging_model, tmp_path, hold):
    out = tmp_path / "out"
    out.mkdir()
    arguments = extract_arguments(make_raster(crossing()), hanging_model, out, f"--probability={out}/p.tif", "--json")
    process = start_held(hold.set("predict", waits=False), *arguments)
    process.terminate()
    with kill_if_late(process):
        rest = parse_events(process.stdout.read())
        assert process.wait() == 3
    assert rest[-1]["code"] == "Cancelled"
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("command", ["segment", "lists"])
def test_a_command_in_a_shell_loop_reads_nothing_of_the_loops_input(make_raster, make_model, tmp_path, command):
    """The next names of ``while read`` are in the stdin of the command, which may be a pipe without an end."""
    taken, given = os.pipe()
    os.write(given, b"second.tif\n")
    os.close(given)
    arguments = ["segment", make_raster(crossing()), "-o", tmp_path / "c.tif", "--model", make_model(), *ONNX]
    if command == "lists":
        arguments = ["lists", "massachusetts", tmp_path, "--out", tmp_path / "lists"]
    done = call(*arguments, "--json", stdin=taken)
    assert "Cancelled" not in done.stdout
    assert done.returncode == (0 if command == "segment" else 2), done.stdout
    assert os.read(taken, 100) == b"second.tif\n"
    os.close(taken)

"""What comes in through ``terraspore serve`` is checked, and no name of a file or layer becomes an option."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from patient_server import PATIENT_COMMAND
from terraspore.engine.protocol.codec import MAX_COMMAND_BYTES
from terraspore.engine.protocol.options import ImageOptions, RuntimeOptions
from terraspore.plugin.processing.arguments import RunOptions, make_run_arguments
from waiting import kill_if_late

ONNX = ("--device=cpu", "--runtime=onnxruntime", "--precision=float32", "--threads=1")


def serve(lines):
    """All that a server says to ``lines``, and its stderr."""
    done = subprocess.run(
        [*PATIENT_COMMAND, "serve"], input=b"\n".join(lines) + b"\n", capture_output=True, timeout=300
    )
    assert done.returncode == 0
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_rubbish_does_not_end_the_server_and_is_answered_shortly():
    rubbish = [
        b"[" * 200_000,
        b"x" * (2 * MAX_COMMAND_BYTES),
        b"\xff\xfe",
        b'{"type": "run", "id": 1, "arguments": [{}]}',
    ]
    events, _ = serve([*rubbish, b'{"type": "ping", "id": 7}'])
    assert [event["type"] for event in events] == ["error"] * 4 + ["pong"]
    assert all(event["code"] == "ProtocolError" and len(event["text"]) < 300 for event in events[:4])


def test_a_command_of_an_unknown_type_is_ignored_with_a_line_in_the_log():
    events, log = serve([b'{"type": "later", "id": 1}', b'{"type": "ping"}'])
    assert [event["type"] for event in events] == ["pong"]
    assert b"unknown type later" in log


NAMES = (
    "--help", "-o x", "; rm -rf x", "$(touch x)", "`touch x`", "@file", "a\nb", "\"'", "--json", "-", "..", "a=b",
    "--output=elsewhere", "zip+http:x", "GTIFF_DIR:1:x", "/vsistdin", "%s%n", "\u202egpj.tif", "x&y|z", "~", "*", "{}",
)  # fmt: skip


@pytest.mark.parametrize("word", ["--help", "-o", "--version", "--json", "-x", "--output=elsewhere"])
def test_a_word_that_is_an_option_is_a_path_behind_two_dashes(tmp_path, word):
    done = subprocess.run(
        [sys.executable, "-m", "terraspore", "info", "--", word], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    assert f"The image {word} does not exist" in done.stderr


def test_names_of_files_layers_and_models_are_never_options_or_commands(make_raster, make_model, tmp_path):
    """The plugin's own arguments for the engine, by a real process: each name is an image, an output and a model."""
    pixels = np.full((3, 40, 40), 20, np.uint8)
    pixels[:, 18:22] = 245
    plain, model = make_raster(pixels), make_model()
    lines, expected = [], {}
    for number, name in enumerate(NAMES[:12]):
        place = tmp_path / f"{number}"
        place.mkdir()
        name = name.replace("..", ".._")
        image, output, own = place / name, place / f"{name}.gpkg", place / f"{name}-model"
        image.write_bytes(plain.read_bytes())
        own.symlink_to(model)
        options = RunOptions(ImageOptions(model=str(own)), RuntimeOptions(device="cpu", runtime="onnxruntime"))
        arguments = make_run_arguments("roads", [str(image)], output, options, {})
        assert arguments[2] == str(image)
        lines.append(json.dumps({"type": "run", "id": number, "arguments": arguments}).encode())
        expected[number] = (place, {image.name, output.name, own.name})
    ends = {event["id"]: event for event in _ends(lines)}
    for number, (place, files) in expected.items():
        assert ends[number]["type"] == "result", (NAMES[number], ends[number])
        assert {path.name for path in place.iterdir()} == files
        assert all(path.startswith(str(place)) for path in ends[number]["outputs"].values())
    assert not [path for path in tmp_path.iterdir() if path.name == "x"]


def _ends(lines):
    """The last event of each of ``lines``, from a server that stays until it has sent them all."""
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([*PATIENT_COMMAND, "serve"], **streams) as server, kill_if_late(server):
        server.stdin.write(b"\n".join(lines) + b"\n")
        server.stdin.flush()
        found = []
        while len(found) < len(lines):
            event = json.loads(server.stdout.readline())
            if event["type"] in ("result", "error"):
                found.append(event)
        server.stdin.close()
        assert server.wait() == 0
    return found


@pytest.mark.parametrize("name", NAMES)
def test_models_and_areas_are_one_word_with_their_option(tmp_path, name):
    options = RunOptions(ImageOptions(model=name, area=tmp_path / name), RuntimeOptions())
    arguments = make_run_arguments("segmentation", [str(tmp_path / "i.tif")], tmp_path / "o.tif", options, {})
    assert f"--model={name}" in arguments
    assert [argument for argument in arguments if argument.startswith("--")] == arguments[2:]


def test_temporary_files_are_private():
    """The folders that an engine shares with a worker are private to the user for any umask."""
    program = (
        "import os, sys, tempfile\n"
        "from pathlib import Path\n"
        "from terraspore.engine.runtimes.worker.client import WorkerProcess\n"
        "os.umask(0)\n"
        "with WorkerProcess(Path(sys.executable), 'onnxruntime') as worker:\n"
        "    shared = worker.create_shared_array('tiles', (4,), __import__('numpy').dtype('uint8'))\n"
        "    folders = {worker.folder, Path(shared.filename).parent}\n"
        "    print(*{oct(folder.stat().st_mode & 0o777) for folder in folders})\n"
        "    print(*(path.name for folder in folders for path in folder.iterdir()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    modes, names = done.stdout.splitlines()
    assert modes == "0o700"
    assert {"log", "tiles"} <= set(names.split())

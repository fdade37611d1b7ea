"""The corpus through the real commands, in one engine process with a memory limit."""

from __future__ import annotations

import json
import queue
import re
import resource
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
import rasterio
import refused_files
import valid_files
from patient_server import PATIENT_COMMAND

ONNX = ("--device=cpu", "--runtime=onnxruntime", "--precision=float32", "--threads=1")
SQUARE = json.dumps(
    {
        "type": "Feature",
        "properties": {"class_id": 1},
        "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]},
    }
)
#: Bytes of address space that the engine may take: libraries and threads take some 3 GB of it without using them.
LIMIT = 8 << 30
SECONDS = 300
#: Kinds of bytes with square pixels that go through a model as well: the chain behind the reader is the same for all.
RUN = (
    "palette", "palette_for_a_model_of_one_band", "one_bit", "alpha", "internal_mask", "nodata", "control_points_only",
    "cmyk", "hundreds_of_bands", "virtual_in_virtual", "rotated", "no coordinate system", "netCDF by name",
    "second of several pages", "leading dash", "new line", "terabytes_that_are_not_stored",
)  # fmt: skip
#: One of each kind that is refused; a folder is not, by commands that read all of its images.
REFUSED = (
    "missing", "text", "pipe", "link to itself", "name that is too long", "path of 2400 characters",
    "overviews beyond the end", "complex64", "mixed types", "degenerate", "beyond the poles", "raw bytes",
    "raw bytes hidden in another", "pipe as source", "network", "one huge block",
)  # fmt: skip


class Engine:
    """``terraspore serve`` with a limit on its memory."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [*PATIENT_COMMAND, "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT)),  # noqa: PLW1509
        )
        self.lines: queue.Queue[bytes] = queue.Queue()
        self.stderr: list[bytes] = []
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=lambda: self.stderr.extend(self.process.stderr), daemon=True).start()
        self.number = 0

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.put(line)

    def run(self, *arguments):
        """The last event of a command."""
        self.number += 1
        message = {"type": "run", "id": self.number, "arguments": list(map(str, arguments))}
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()
        while True:
            event = json.loads(self.lines.get(timeout=SECONDS))
            assert event["id"] == self.number, event
            if event["type"] in ("result", "error"):
                return event

    def resident(self):
        """The most memory that the process has had, in bytes."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1]) << 10


@pytest.fixture(scope="module")
def engine():
    engine = Engine()
    yield engine
    engine.process.stdin.close()
    assert engine.process.wait(timeout=300) == 0
    assert b"Traceback" not in b"".join(engine.stderr)


def make_arguments(case):
    arguments = []
    if "subdataset" in case.options and case.options["subdataset"] is not None:
        arguments.append(f"--subdataset={case.options['subdataset']}")
    if "pixel_size" in case.options:
        arguments.append(f"--pixel-size={case.options['pixel_size']}")
    return [*arguments, "--", case.path]


@pytest.mark.parametrize("name", valid_files.MAKERS)
def test_info_of_valid_files(engine, tmp_path, name):
    case = valid_files.MAKERS[name](tmp_path)
    event = engine.run("info", *make_arguments(case))
    assert event["type"] == "result", event
    rows, columns = case.pixels.shape[1:]
    if name != "terabytes_that_are_not_stored":
        assert (event["summary"]["width"], event["summary"]["height"]) == (columns, rows)
    assert engine.resident() < 700 << 20


@pytest.mark.parametrize("name", refused_files.MAKERS)
def test_info_of_refused_files(engine, tmp_path, name):
    path = refused_files.MAKERS[name][0](tmp_path)
    event = engine.run("info", "--", path)
    if name in ("2^31 columns",):  # its size can be printed, but it cannot be processed
        assert event["type"] == "result" or event["exit_code"] == 2
        return
    assert event["type"] == "error", event
    assert event["exit_code"] == 2, event
    assert event["code"] not in ("InternalError", "ProtocolError"), event
    assert "\n" not in event["text"]
    assert engine.resident() < 700 << 20


@pytest.mark.parametrize("name", REFUSED)
def test_every_command_refuses_with_the_same_sentence(engine, make_raster, make_model, tmp_path, name):
    path = refused_files.MAKERS[name][0](tmp_path)
    image, model = make_raster(np.ones((1, 24, 32), np.uint8), "whole.tif"), make_model()
    landcover = make_model(np.eye(3), task="landcover")
    output, squares = tmp_path / "out.gpkg", tmp_path / "squares.geojson"
    squares.write_text(SQUARE)
    commands = (
        ("info", "--", path),
        ("plan", f"--model={model}", "--", path),
        ("extract", "roads", f"--model={model}", "-o", output, "--", path),
        ("extract", "landcover", f"--model={landcover}", "-o", output, "--", path),
        ("segment", f"--model={model}", "-o", tmp_path / "out.tif", "--", path),
        ("vectorize", "-o", output, "--", path),
        ("vectorize", "roads", "-o", output, "--", path),
        ("vectorize", "landcover", "-o", output, "--", path),
        ("compare", "--", path, image),
        ("compare", "--", image, path),
        ("compare", "--", squares, path),
        ("chips", f"--out={tmp_path / 'chips'}", "--", path, squares),
    )
    events = [engine.run(*command) for command in commands]
    # A name that is too long is refused with the name of the argument, which differs.
    texts = [re.sub(r"^Invalid value for '[\w.]+'", "Invalid value", event["text"]) for event in events]
    assert [(event["type"], event.get("exit_code")) for event in events] == [("error", 2)] * len(commands)
    assert set(texts) == {texts[0]}
    assert not output.exists()
    assert engine.resident() < 700 << 20


@pytest.mark.parametrize("name", RUN)
def test_identity_model_returns_the_band(engine, make_model, tmp_path, name):
    case = valid_files.MAKERS[name](tmp_path)
    model = make_model(np.eye(case.needed)[:1], task="segmentation")
    pixel = engine.run("info", *make_arguments(case))["summary"]["pixel_width_m"]
    arguments = [
        f"--output={tmp_path / 'classes.tif'}",
        f"--probability={tmp_path / 'p.tif'}",
        f"--resolution={pixel!r}",
    ]
    if name == "terabytes_that_are_not_stored":
        arguments.append(f"--extent=500000,{4_649_776 - 24},500032,4649776")
    event = engine.run("segment", *arguments, f"--model={model}", *ONNX, *make_arguments(case))
    assert event["type"] == "result", event
    expected = np.minimum(case.pixels[0].astype(float), 250)
    if case.valid is not None:
        expected[~case.valid] = 255
    with rasterio.open(tmp_path / "p.tif") as result:
        np.testing.assert_allclose(result.read(1), expected, rtol=0, atol=case.tolerance)
        assert result.transform.almost_equals(case.transform)
        assert len(result.tags()["MODEL_SHA256"]) == 64
    assert engine.resident() < 700 << 20

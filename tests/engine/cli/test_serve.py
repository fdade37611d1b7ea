"""The server: one process, many runs."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import psutil
import pytest
from patience import within

ONNX = ("--device=cpu", "--runtime=onnxruntime", "--precision=float32", "--threads=1")


class Client:
    """Talks to a server process."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "terraspore", "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def send(self, **message):
        self.write(json.dumps(message))

    def write(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def next(self):
        return json.loads(self.process.stdout.readline())

    def until_end(self, number):
        """All events of run ``number`` up to its end; of other runs there must be none."""
        events = []
        while not events or events[-1]["type"] not in ("result", "error"):
            events.append(self.next())
            assert events[-1]["id"] == number
        return events


@pytest.fixture
def client():
    client = Client()
    yield client
    client.process.stdin.close()
    assert client.process.wait(timeout=100) == 0
    client.process.stdout.close()


def image_of(make_raster, size=150):
    pixels = np.full((3, size, size), 20, np.uint8)
    pixels[:, 70:80] = 245
    return make_raster(pixels)


def test_runs_follow_each_other_and_keep_the_model(client, make_raster, make_model, tmp_path):
    image, model = image_of(make_raster), make_model()
    client.send(type="ping")
    assert client.next()["type"] == "pong"
    for number in (1, 2):
        out = tmp_path / f"roads{number}.gpkg"
        words = ["extract", "roads", str(image), f"--output={out}", f"--model={model}", *ONNX]
        client.send(type="run", id=number, arguments=words)
    for number in (1, 2):
        events = client.until_end(number)
        assert events[-1]["type"] == "result", events[-1]
        assert events[-1]["summary"]["roads"] == 1
        assert [event["type"] for event in events].count("plan") == 1
    assert (tmp_path / "roads2.gpkg").is_file()
    model.joinpath("net.onnx").rename(tmp_path / "gone.onnx")
    client.send(type="run", id=3, arguments=words)
    assert client.until_end(3)[-1]["type"] == "error"


def test_a_run_after_the_death_of_an_isolated_worker_gets_a_new_one(client, make_raster, make_model, tmp_path):
    image, model = image_of(make_raster), make_model()
    device = [option for option in ONNX if "runtime" not in option]
    words = ["extract", "roads", str(image), f"--model={model}", "--runtime=onnxruntime-isolated", *device]
    seen = set()
    for number in (1, 2):
        client.send(type="run", id=number, arguments=[*words, f"--output={tmp_path / f'{number}.gpkg'}"])
        last = client.until_end(number)[-1]
        assert last["type"] == "result", last
        (worker,) = psutil.Process(client.process.pid).children()
        assert worker.pid not in seen
        seen.add(worker.pid)
        worker.kill()
        psutil.wait_procs([worker], timeout=60)


def test_mistakes_do_not_end_the_server(client, tmp_path):
    client.send(type="run", id=7, arguments=["info", str(tmp_path / "none.tif")])
    (event,) = client.until_end(7)
    assert (event["type"], event["code"], event["exit_code"]) == ("error", "SourceError", 2)
    client.send(type="run", id=8, arguments=["nonsense"])
    assert client.until_end(8)[-1]["code"] == "UsageError"
    for line in ("{", "[]", '{"type": "run", "id": "x", "arguments": []}', '{"type": "run", "id": 1, "arguments": 5}'):
        client.write(line)
        event = client.next()
        assert (event["type"], event["code"], event["id"]) == ("error", "ProtocolError", None)
    client.send(type="cancel", id=99)
    client.send(type="ping")
    assert client.next()["type"] == "pong"


def test_one_run_is_cancelled_and_the_next_one_done(client, make_raster, make_model, tmp_path):
    model = make_model()
    big = image_of(make_raster, 3000)
    out = tmp_path / "big.gpkg"
    words = ["extract", "roads", str(big), f"--output={out}", f"--model={model}", "--tta", *ONNX]
    client.send(type="run", id=1, arguments=words)
    while client.next()["type"] != "progress":
        pass
    client.send(type="run", id=2, arguments=["info", str(big)])
    client.send(type="ping")
    kinds = []
    with within(2):
        client.send(type="cancel", id=1)
        while not kinds or kinds[-1] != "error":
            event = client.next()
            kinds.append(event["type"])
    assert "pong" in kinds
    assert event["code"] == "Cancelled"
    assert not out.exists()
    assert client.until_end(2)[-1]["summary"]["width"] == 3000


def test_end_of_stdin_ends_a_run_and_the_server(make_raster, make_model, tmp_path):
    client = Client()
    big, out = image_of(make_raster, 3000), tmp_path / "big.gpkg"
    words = ["extract", "roads", str(big), f"--output={out}", f"--model={make_model()}", "--tta", *ONNX]
    client.send(type="run", id=1, arguments=words)
    while client.next()["type"] != "progress":
        pass
    with within(5):
        client.process.stdin.close()
        client.process.wait(timeout=100)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image.tif"]
    client.process.stdout.close()

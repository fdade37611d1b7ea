"""The server: one process, many runs."""

from __future__ import annotations

import json
import os
import subprocess

import numpy as np
import psutil
import pytest
from hold_point import HELD_COMMAND, MAX_LATE_BATCHES
from patient_server import PATIENT_COMMAND
from waiting import kill_if_late, wait_for

ONNX = ("--device=cpu", "--runtime=onnxruntime", "--precision=float32", "--threads=1")


class Client:
    """Sends commands to a server process and reads its events."""

    def __init__(self, command=PATIENT_COMMAND, environment=None):
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        environment = {**os.environ, **(environment or {})}
        self.process = subprocess.Popen([*command, "serve"], text=True, env=environment, **streams)

    def send(self, **message):
        self.write(json.dumps(message))

    def write(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def next(self):
        with kill_if_late(self.process):
            return json.loads(self.process.stdout.readline())

    def read_run(self, number):
        """Read the events of run ``number`` up to its end; fail on events of other runs."""
        events = []
        while not events or events[-1]["type"] not in ("result", "error"):
            events.append(self.next())
            assert events[-1]["id"] == number
        return events

    def close(self):
        """Close stdin, and wait for the end of the server."""
        with kill_if_late(self.process):
            self.process.stdin.close()
            assert self.process.wait() == 0
            self.process.stdout.close()


@pytest.fixture
def client():
    client = Client()
    yield client
    client.close()


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
        arguments = ["extract", "roads", str(image), f"--output={out}", f"--model={model}", *ONNX]
        client.send(type="run", id=number, arguments=arguments)
    for number in (1, 2):
        events = client.read_run(number)
        assert events[-1]["type"] == "result", events[-1]
        assert events[-1]["summary"]["roads"] == 1
        assert [event["type"] for event in events].count("plan") == 1
    assert (tmp_path / "roads2.gpkg").is_file()
    model.joinpath("net.onnx").rename(tmp_path / "gone.onnx")
    client.send(type="run", id=3, arguments=arguments)
    assert client.read_run(3)[-1]["type"] == "error"


def has_ended(process):
    """Whether a process has ended; its parent need not have noticed."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_run_after_the_end_of_an_isolated_worker_starts_a_new_one(client, make_raster, make_model, tmp_path):
    image, model = image_of(make_raster), make_model()
    device = [option for option in ONNX if "runtime" not in option]
    arguments = ["extract", "roads", str(image), f"--model={model}", "--runtime=onnxruntime-isolated", *device]
    seen = set()
    for number in (1, 2):
        client.send(type="run", id=number, arguments=[*arguments, f"--output={tmp_path / f'{number}.gpkg'}"])
        last = client.read_run(number)[-1]
        assert last["type"] == "result", last
        (worker,) = psutil.Process(client.process.pid).children()
        assert worker.pid not in seen
        seen.add(worker.pid)
        worker.kill()
        wait_for(lambda worker=worker: has_ended(worker))


def test_errors_do_not_end_the_server(client, tmp_path):
    client.send(type="run", id=7, arguments=["info", str(tmp_path / "none.tif")])
    (event,) = client.read_run(7)
    assert (event["type"], event["code"], event["exit_code"]) == ("error", "SourceError", 2)
    client.send(type="run", id=8, arguments=["nonsense"])
    assert client.read_run(8)[-1]["code"] == "UsageError"
    for line in ("{", "[]", '{"type": "run", "id": "x", "arguments": []}', '{"type": "run", "id": 1, "arguments": 5}'):
        client.write(line)
        event = client.next()
        assert (event["type"], event["code"], event["id"]) == ("error", "ProtocolError", None)
    client.send(type="cancel", id=99)
    client.send(type="ping")
    assert client.next()["type"] == "pong"


def test_an_id_is_free_as_soon_as_its_end_is_read(client):
    for _ in range(50):
        client.send(type="run", id=1, arguments=["--version"])
        assert client.next()["text"].startswith("terraspore ")


def test_help_is_answered_and_the_server_does_not_run_itself(client):
    client.send(type="run", id=1, arguments=["extract", "roads", "--help"])
    (event,) = client.read_run(1)
    assert event["type"] == "result"
    assert "--watch-stdin" in event["text"]
    client.send(type="run", id=2, arguments=["serve"])
    (event,) = client.read_run(2)
    assert (event["code"], event["exit_code"]) == ("ParameterError", 2)


def test_a_cancelled_run_that_hangs_is_answered_once_and_those_that_wait_are_answered(
    hold, make_raster, hanging_model, tmp_path
):
    client = Client(HELD_COMMAND, hold.set("predict", waits=False).environment)
    image, out = image_of(make_raster), tmp_path / "roads.gpkg"
    client.send(type="run", id=1, arguments=["extract", "roads", str(image), f"-o={out}", f"--model={hanging_model}"])
    client.process.stdin.flush()
    arguments = ["extract", "roads", str(image), f"--output={out}", f"--model={hanging_model}", *ONNX]
    client.send(type="run", id=2, arguments=arguments)
    client.send(type="run", id=3, arguments=["--version"])
    client.send(type="run", id=4, arguments=["--version"])
    wait_for(hold.is_reached)
    client.send(type="cancel", id=2)
    with kill_if_late(client.process):
        events = [json.loads(line) for line in client.process.stdout]
        assert client.process.wait() == 3
    ends = {}
    for event in events:
        if event["type"] in ("result", "error"):
            ends.setdefault(event["id"], []).append(event["code"])
    assert ends.pop(1)
    assert ends == {2: ["Cancelled"], 3: ["EngineEnded"], 4: ["EngineEnded"]}
    assert not out.exists()


def start_held_run(hold, make_raster, make_model, out):
    """Start a server with run 1, and wait until that has stored its second row of tiles."""
    client = Client(HELD_COMMAND, hold.set("row", 2).environment)
    image = image_of(make_raster, 500)
    arguments = ["extract", "roads", str(image), f"--output={out}", f"--model={make_model()}", "--tta", *ONNX]
    client.send(type="run", id=1, arguments=arguments)
    wait_for(hold.is_reached)
    return client, image


def test_one_run_is_cancelled_and_the_next_one_done(hold, make_raster, make_model, tmp_path):
    out = tmp_path / "roads.gpkg"
    client, image = start_held_run(hold, make_raster, make_model, out)
    client.send(type="run", id=2, arguments=["info", str(image)])
    client.send(type="ping")
    while client.next()["type"] != "pong":  # answered while the run is held
        pass
    client.send(type="cancel", id=1)
    assert client.read_run(1)[-1]["code"] == "Cancelled"
    assert not out.exists()
    assert client.read_run(2)[-1]["summary"]["width"] == 500
    client.close()


def test_end_of_stdin_ends_a_run_and_the_server(hold, make_raster, make_model, tmp_path):
    client, _ = start_held_run(hold, make_raster, make_model, tmp_path / "roads.gpkg")
    client.close()
    assert hold.counts()["late"] <= MAX_LATE_BATCHES
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".tif", ".unfinished"]

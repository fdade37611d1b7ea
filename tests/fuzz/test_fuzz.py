"""A short run of every fuzz target; ``make fuzz`` runs them longer."""

from __future__ import annotations

import base64
import importlib.util
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from targets import TARGETS

#: Ends a run that hangs.
SECONDS = 600
HAS_ATHERIS = importlib.util.find_spec("atheris") is not None

#: Inputs that failed once. Nested brackets ended the thread that reads the server's stdin.
FOUND = [
    ("command", b"[" * 50_000),
    ("command", b'{"type": "ping", "id":' * 20_000),
    ("event", b"\xff" + b"[" * 200 + b"\n" + b'{"type":' * 50),
    ("event", b'\xff{"type": "result", "outputs": {}, "summary": {"a": {"b": []}}, "seconds": 1, "text": ""}\n'),
    # An operator whose name contains a line break.
    (
        "onnx",
        base64.b64decode(
            "CAg6nQEKJjoFaW1hZ2UKAXcSAXkiBENvbgrV7usEcGFkc0AAQABAAEAAoAEHCg8KAXkSAXoiB1NpZ21vaWQSKGcqGwgBCAMIAQgB"
            "EAFCAAAAAAAAAAAAAIA/AACAP1oiCgVpbWFnbRIZChcIARITCgMSAW4KAggDCgMSAWgKAxIBd2IeCgF6EhkKFwgBEhMKAxIBbgoC"
            "CCEKAxIBaAoDEgF3QgQKABAR"
        ),
    ),
    ("vrt", b'<VRTDataset a="<!--"><SourceFilename>/dev/null</SourceFilename><b c="-->"/></VRTDataset>'),
    ("vrt", b"<VRTDataset><SimpleSource SourceFilename='/dev/null'/></VRTDataset>"),
    ("vrt", b"<VRTDataset>" + b"<!-- " * 3000),
]


@pytest.fixture(autouse=True)
def use_temporary_folder(tmp_path, monkeypatch):
    """Write the files of targets to the folder of the test."""
    monkeypatch.setenv("FUZZ_FILES", str(tmp_path))


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_inputs_that_failed_once(name, data):
    TARGETS[name].check(data)


#: Bytes that protobuf in Python accepts, and protobuf in C++, which ONNX's checker uses, does not.
READ_IN_PYTHON_ONLY = (
    "CAg6nQEKJgoFaW1hZ2UKAXcSAXkiBENvbnYqEQoEcGFkc0AAQABAAEAAoAEHCg8KAXkSAXoiB1NpZ21vaWQSAWcqGwgBCAMIAQgB"
    "EAFCAXdKDCoAqARwYWRzQABAAEAAQACgAQcKDwoBeRIBeiIHCgMSAW4KAggDCgMSAWgKAxIBd2IeCgF6EhkKF/j+7ez1/O4GbgoC"
    "CAEKAxIBaAoDEgF3QgQKABAR"
)


@pytest.mark.parametrize("implementation", ["python", "upb"])
def test_bytes_that_one_protobuf_accepts(implementation):
    program = "import base64, sys; from targets import TARGETS; TARGETS['onnx'].check(base64.b64decode(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", program, READ_IN_PYTHON_ONLY],
        cwd=Path(__file__).parent,
        env={**os.environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": implementation},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(HAS_ATHERIS, reason="run.py begins with the seeds")
@pytest.mark.parametrize("name", TARGETS)
def test_seeds_pass(name):
    for seed in TARGETS[name].seeds():
        TARGETS[name].check(seed)


@pytest.mark.skipif(not HAS_ATHERIS, reason="atheris has no wheel here; the targets run under hypothesis instead")
@pytest.mark.parametrize("name", TARGETS)
def test_coverage_guided(tmp_path, name):
    inputs = TARGETS[name].inputs
    numbers = (str(SECONDS), "1", str(inputs))  # a fixed seed; `make fuzz` takes another each time
    run = [sys.executable, str(Path(__file__).with_name("run.py")), name, str(tmp_path), *numbers]
    done = subprocess.run(run, capture_output=True, text=True, errors="replace", timeout=SECONDS + 60)
    crashes = [path.read_bytes()[:2000] for path in (tmp_path / "crashes").iterdir()]
    assert done.returncode == 0, (crashes, done.stdout[-2000:], done.stderr[-2000:])
    assert not crashes
    executed = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    assert executed, done.stderr[-2000:]
    assert int(executed[1]) >= inputs


@pytest.mark.skipif(HAS_ATHERIS, reason="atheris runs the targets")
@pytest.mark.parametrize("name", TARGETS)
def test_seeds_with_random_changes(name):
    seeds = TARGETS[name].seeds()

    @settings(max_examples=min(200, TARGETS[name].inputs), suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=False), st.binary(max_size=200))
    def examples(chance: random.Random, noise: bytes) -> None:
        data = bytearray(chance.choice(seeds) or noise)
        for _ in range(chance.randint(1, 8)):
            place = chance.randrange(len(data) + 1)
            data[place : place + chance.randint(0, 4)] = noise[: chance.randint(0, 8)]
        TARGETS[name].check(bytes(data))

    examples()

"""What is OpenVINO's own: precisions, streams and the cache of compiled models."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import openvino
import pytest
from terraspore.engine.runtimes import openvino as module
from terraspore.engine.runtimes.base import SessionConfig
from terraspore.engine.runtimes.measure import probability_change, synthetic_tiles
from terraspore.engine.runtimes.openvino import OpenVino

CAPABILITIES = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
# A string is evaluated when the test begins: `terraspore.training`, which may be imported after this module, limits
# oneDNN, which OpenVINO computes with, too.
NEEDS_BFLOAT16 = pytest.mark.skipif(
    "'BF16' not in CAPABILITIES or 'ONEDNN_MAX_CPU_ISA' in os.environ",
    reason="this processor has no bfloat16, or oneDNN is limited in this process",
)


def run(model, precision, cache=None, threads=2):
    session = OpenVino().open(model, SessionConfig("cpu", 64, precision, threads, cache))
    result = session.predict(synthetic_tiles(model.card, 64))
    session.close()
    return result, session.precision


@NEEDS_BFLOAT16
def test_auto_takes_bfloat16_only_where_the_card_or_a_measurement_allows_it(probe):
    allowed = replace(probe, card=replace(probe.card, metrics={"bfloat16_change": 0.0199}))
    refused = replace(probe, card=replace(probe.card, metrics={"bfloat16_change": 0.0201}))
    short, precision = run(allowed, "auto")
    exact, kept = run(refused, "auto")
    assert (precision, kept) == ("bfloat16", "float32")
    assert 0 < probability_change(exact, short) < 0.1
    _, measured = run(probe, "auto")
    asked, _ = run(probe, "bfloat16")
    assert measured == ("bfloat16" if probability_change(exact, asked) < module.MAX_CHANGE else "float32")


def test_a_compiled_model_is_kept_and_gives_the_same(probe, tmp_path, monkeypatch):
    first, _ = run(probe, "float32", tmp_path)
    assert len(list(tmp_path.glob("*.blob"))) == 1
    compiled = []
    monkeypatch.setattr(module, "build_graph", lambda *_, **__: compiled.append(1))
    again, _ = run(probe, "float32", tmp_path)
    assert compiled == []
    np.testing.assert_array_equal(first, again)


def test_threads_may_run_on_any_core(probe, tmp_path):
    """Workers on one computer would share a core. Threads are bound while they compute only, so OpenVINO is asked."""
    for _ in range(2):  # compiled, and from the cache
        with OpenVino().open(probe, SessionConfig("cpu", 64, "float32", 1, tmp_path)) as session:
            assert session._compiled.get_property("ENABLE_CPU_PINNING") is False


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: b"", lambda content: b"x" + content])
def test_a_damaged_cache_is_not_used(probe, tmp_path, damage):
    first, _ = run(probe, "float32", tmp_path, threads=1)
    (blob,) = tmp_path.glob("*.blob")
    blob.write_bytes(damage(blob.read_bytes()))
    again, _ = run(probe, "float32", tmp_path, threads=1)
    np.testing.assert_array_equal(first, again)


def test_the_cache_tells_models_and_settings_apart(probe, identity, tmp_path):
    def name(model, **changes):
        config = replace(SessionConfig("cpu", 64, "float32", 2, tmp_path), **changes)
        return module._ModelCompiler(module.OpenVino(), openvino.Core(), "CPU", model, config).entry_name("x")

    names = {
        name(probe),
        name(identity),
        name(probe, tile=32),
        name(probe, threads=1),
        name(replace(probe, sha256="1" * 64)),
        name(replace(probe, card=replace(probe.card, activation="none"))),
    }
    assert len(names) == 6
    assert name(probe) in names


def test_a_cache_that_cannot_be_written_is_no_error(probe, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    result, _ = run(probe, "float32", tmp_path / "file" / "cache", threads=1)
    assert np.isfinite(result).all()


def test_openvino_writes_nothing_to_the_home_folder_and_posts_nothing(tmp_path):
    code = (
        "import sys\n"
        "from terraspore.engine.runtimes.openvino import OpenVino\n"
        "assert OpenVino().devices()\n"
        "print([name for name, module in sys.modules.items() if 'openvino_telemetry' in name and module])\n"
    )
    home = {"HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **home})
    assert done.stdout == "[]\n", done.stderr
    assert list(tmp_path.iterdir()) == []

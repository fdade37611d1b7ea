"""The cache, the measure of precision, the measured batch, and what is found in a machine."""

import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from terraspore.engine.errors import InferenceError, OutOfMemoryError
from terraspore.engine.models.card import Normalisation
from terraspore.engine.runtimes import cache as cache_module
from terraspore.engine.runtimes import hardware
from terraspore.engine.runtimes import measure as tuning
from terraspore.engine.runtimes.base import translate_error
from terraspore.engine.runtimes.cache import (
    cache_key,
    default_cache_folder,
    load_entry,
    load_measurements,
    store_entry,
    store_measurements,
)
from terraspore.engine.runtimes.measure import SLOW_TILE, choose_batch_size, probability_change, synthetic_tiles
from terraspore.engine.runtimes.mindspore import activate
from terraspore.engine.runtimes.onnxruntime import OnnxRuntime
from terraspore.engine.runtimes.probe import choose_default, probe_devices
from terraspore.engine.runtimes.registry import create_runtimes


def test_entries_come_back_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "deep" / "cache"
    store_entry(folder, "a.blob", b"content")
    assert load_entry(folder, "a.blob").tobytes() == b"content"
    assert load_entry(folder, "b.blob") is None
    assert load_entry(None, "a.blob") is None
    path = folder / "a.blob"
    for damaged in (path.read_bytes()[:-1], path.read_bytes() + b"x", b""):
        path.write_bytes(damaged)
        assert load_entry(folder, "a.blob") is None
    assert [entry.name for entry in folder.iterdir()] == ["a.blob"]


def test_figures_come_back(tmp_path):
    store_measurements(tmp_path, "a.json", {"x": 1.5})
    assert load_measurements(tmp_path, "a.json") == {"x": 1.5}
    assert load_measurements(tmp_path, "b.json") == {}


def test_the_least_recently_used_compiled_models_go(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_module, "KEPT", 2)
    for age, name in enumerate(("a.blob", "b.blob")):
        store_entry(tmp_path, name, b"x")
        os.utime(tmp_path / name, (100 + age, 100 + age))
    assert load_entry(tmp_path, "a.blob") is not None  # used now, so b is the oldest
    store_entry(tmp_path, "c.blob", b"x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.blob", "c.blob"]


def test_keys_differ_where_any_part_does():
    assert len({cache_key("a", "b"), cache_key("ab"), cache_key("a", "b", ""), cache_key("b", "a")}) == 4


def test_the_folder_of_the_cache(tmp_path):
    assert default_cache_folder({"TERRASPORE_CACHE": str(tmp_path)}) == tmp_path
    assert default_cache_folder({"TERRASPORE_CACHE": "", "HOME": "/home/me"}) is None
    assert default_cache_folder({}) is None
    assert default_cache_folder({"HOME": "/home/me", "LOCALAPPDATA": "/home/me"}).name == "terraspore"


def test_the_change_of_probability_is_a_quantile():
    exact = np.zeros((1, 1, 100, 100), np.float32)
    reduced = exact.copy()
    reduced[0, 0, 0, :9] = 0.5  # 0.09 % of the pixels
    assert probability_change(exact, reduced) < 1e-6
    reduced[0, 0, 0, :12] = 0.5
    assert probability_change(exact, reduced) == 0.5


@pytest.mark.parametrize(("dtype", "most"), [("uint8", 255), ("uint16", 65535), ("float32", 1)])
def test_artificial_tiles_use_the_whole_range_at_all_scales(random_network, dtype, most):

    card = replace(
        random_network("dlinknet34").card, dtype=dtype, bands=2, normalisation=Normalisation(1, (0, 0), (1, 1))
    )
    tiles = synthetic_tiles(card, 96)
    assert tiles.shape[1:] == (2, 96, 96)
    assert tiles.dtype == dtype
    assert (tiles.min(), tiles.max()) == (0, most)
    halves = tiles.astype(float)[..., :48, :].mean(axis=(2, 3)), tiles.astype(float)[..., 48:, :].mean(axis=(2, 3))
    assert np.abs(halves[0] - halves[1]).max() > 0.02 * most
    assert np.abs(np.diff(tiles.astype(float), axis=3)).mean() > 0.01 * most


@pytest.mark.parametrize(
    ("per_call", "per_tile", "expected"),
    [(0.004, 0.0005, 8), (0.0, 0.002, 1), (0.03, SLOW_TILE, 1)],
)
def test_the_batch_with_the_shortest_time_wins(monkeypatch, per_call, per_tile, expected):
    now = [0.0]
    monkeypatch.setattr(tuning, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def predict(tiles):
        now[0] += per_call + per_tile * len(tiles)
        return np.zeros(tiles.shape, np.float32)

    assert choose_batch_size(predict, (1, 4, 4), np.dtype(np.uint8), (1, 2, 4, 8)) == expected


@pytest.mark.parametrize("activation", ["sigmoid", "softmax", "none"])
def test_activations_are_exact_and_never_overflow(activation):
    scores = np.array([-1e4, -3, 0, 2, 1e4], np.float32).reshape(1, 5, 1, 1)
    with np.errstate(all="raise", under="ignore"):
        result = activate(scores, activation)
    wide = scores.astype(np.float64)
    expected = {
        "sigmoid": 1 / (1 + np.exp(-np.clip(wide, -700, 700))),
        "softmax": np.exp(wide - 1e4) / np.exp(wide - 1e4).sum(),
        "none": wide,
    }[activation]
    np.testing.assert_allclose(result, expected, atol=1e-7)
    assert result.dtype == np.float32


def test_lack_of_memory_is_told_from_other_failures():
    assert isinstance(translate_error(RuntimeError("std::bad_alloc"), "it ran"), OutOfMemoryError)
    assert isinstance(translate_error(MemoryError(), "it ran"), OutOfMemoryError)
    assert isinstance(translate_error(RuntimeError("CUDA error 2: out of memory"), "it ran"), OutOfMemoryError)
    assert isinstance(translate_error(RuntimeError("a\nb"), "it ran"), InferenceError)


def test_accelerators_are_found_by_their_device_files(tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "_output", lambda *_: "")
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "davinci3", "davinci_manager", "null"):
        (tmp_path / name).touch()
    found = [(entry.device, entry.title) for entry in hardware.find_accelerators(tmp_path)]
    assert found == [("cuda", "NVIDIA GPU nvidia0"), ("cuda", "NVIDIA GPU nvidia1"), ("ascend", "Ascend davinci3")]


def test_the_names_of_gpus_are_read(tmp_path, monkeypatch):
    listing = "GPU 0: NVIDIA H200 (UUID: GPU-1)\nGPU 1: NVIDIA A2 (UUID: GPU-2)\n"
    monkeypatch.setattr(hardware, "_output", lambda *_: listing)
    assert [entry.title for entry in hardware.find_accelerators(tmp_path)] == ["NVIDIA H200", "NVIDIA A2"]


def test_a_gpu_that_the_build_cannot_use_is_reported_with_the_reason(monkeypatch):
    from terraspore.engine.runtimes import onnxruntime as module

    monkeypatch.setattr(module, "find_accelerators", lambda: [hardware.Accelerator("cuda", "A GPU")])
    infos = {info.device: info for info in OnnxRuntime().devices()}
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this build of ONNX Runtime can use a GPU")
    assert infos["cuda"].title == "A GPU"
    assert "no CUDAExecutionProvider; the package onnxruntime-gpu has it" in infos["cuda"].reason
    assert infos["cpu"].reason == ""


def test_every_device_is_tried_and_the_first_in_order_is_preferred():
    runtimes = {name: runtime for name, runtime in create_runtimes().items() if name in {"openvino", "onnxruntime"}}
    outcomes = probe_devices(runtimes, threads=1)
    working = {f"{outcome.info.runtime} {outcome.info.device}" for outcome in outcomes if outcome.works}
    assert {"openvino cpu", "onnxruntime cpu"} <= working
    assert all(outcome.info.reason for outcome in outcomes if not outcome.works)
    assert choose_default(outcomes).works
    assert choose_default([]) is None

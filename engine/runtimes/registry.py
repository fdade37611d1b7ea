"""The choice of runtime and device: as asked, or the quickest that works, and why."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import InferenceError, OutOfMemoryError, ParameterError, RuntimeUnavailableError
from ..models.registry import Model
from .base import DeviceInfo, NetworkFactory, Precision, Runtime, Session, SessionConfig
from .mindspore import MindSpore
from .mindspore_lite import MindSporeLite, lite_python
from .onnxruntime import OnnxRuntime
from .openvino import OpenVino
from .worker.isolated_onnxruntime import IsolatedOnnxRuntime, onnxruntime_python

#: What ``auto`` tries, the quickest first; within a kind of device the order is that of docs/models-and-runtimes.md.
#: Devices whose worth was never measured (TensorRT, CoreML, Intel graphics) are taken when asked for only.
AUTO_ORDER: Sequence[tuple[str, str]] = (
    ("cuda", "onnxruntime"),
    ("cuda", "onnxruntime-isolated"),
    ("ascend", "onnxruntime"),
    ("ascend", "onnxruntime-isolated"),
    ("directml", "onnxruntime"),
    ("cuda", "mindspore"),
    ("ascend", "mindspore-lite"),
    ("ascend", "mindspore"),
    ("cpu", "openvino"),
    ("cpu", "onnxruntime"),
    ("cpu", "mindspore-lite"),
    ("cpu", "mindspore"),
)


def create_runtimes() -> dict[str, Runtime]:
    """Every runtime by its name, whether or not it is installed."""
    runtimes: list[Runtime] = [
        OpenVino(),
        OnnxRuntime(),
        IsolatedOnnxRuntime(onnxruntime_python()),
        MindSporeLite(lite_python()),
        MindSpore(),
    ]
    return {runtime.name: runtime for runtime in runtimes}


def rank_devices(device: str, runtime: str, infos: Sequence[DeviceInfo]) -> list[DeviceInfo]:
    """The devices to try, in order.

    Args:
        device: ``auto``, a kind of device (``cpu``, ``cuda``) or one of them (``cuda:1``).
        runtime: ``auto`` or the name of a runtime.
        infos: every device of every runtime.
    """
    fits = [
        info
        for info in infos
        if runtime in {"auto", info.runtime} and (device in {"auto", info.device, info.device.partition(":")[0]})
    ]
    places = {pair: place for place, pair in enumerate(AUTO_ORDER)}
    ranked = [(places.get((info.device.partition(":")[0], info.runtime), len(AUTO_ORDER)), info) for info in fits]
    if device == "auto":
        ranked = [(place, info) for place, info in ranked if place < len(AUTO_ORDER)]
    return [info for _, info in sorted(ranked, key=lambda pair: pair[0])]


def open_session(
    model: Model,
    *,
    device: str = "auto",
    runtime: str = "auto",
    precision: Precision = "auto",
    threads: int | None = None,
    tile: int,
    cache: Path | None = None,
    network_factory: NetworkFactory | None = None,
) -> tuple[Session, str]:
    """Open ``model`` where it is asked for, or where it runs quickest.

    Every candidate has to pass a trial run before it is taken.

    Args:
        model: a model of the registry.
        device: ``auto``, or a name of ``terraspore devices``.
        runtime: ``auto``, or a name of ``terraspore devices``.
        precision: ``auto``, ``float32`` (exact), ``bfloat16`` or ``float16``.
        threads: processor threads; ``None`` for all cores.
        tile: side of the tiles, in pixels.
        cache: folder for compiled models (see ``cache.default_cache_folder``); ``None`` compiles anew.
        network_factory: makes MindSpore networks; without it MindSpore cannot be used.

    Returns:
        The session, and one sentence that says which it is and why.

    Raises:
        RuntimeUnavailableError: what was asked for does not work, or nothing does; with the reason.
        ParameterError: there is no runtime of that name, or the number of threads is not positive.
        ModelError: the model is damaged.
        OutOfMemoryError: there was not enough memory to try the model.
    """
    runtimes = create_runtimes()
    if runtime != "auto" and runtime not in runtimes:
        raise ParameterError(f"There is no runtime '{runtime}'; there are: auto, {', '.join(runtimes)}.")
    if threads is not None and threads < 1:
        raise ParameterError(f"The number of threads must be at least 1, not {threads}.")
    used = [entry for name, entry in runtimes.items() if runtime in {"auto", name}]
    infos = [info for entry in used for info in entry.devices()]
    failures: list[tuple[DeviceInfo, str]] = []
    shortage: OutOfMemoryError | None = None
    for info in rank_devices(device, runtime, infos):
        if info.reason:
            failures.append((info, info.reason))
            continue
        request = SessionConfig(info.device, tile, precision, threads, cache, network_factory)
        try:
            session = runtimes[info.runtime].open(model, request)
            seconds = run_trial(session, model, tile)
        except (RuntimeUnavailableError, InferenceError, OutOfMemoryError) as error:
            failures.append((info, error.text))
            shortage = error if isinstance(error, OutOfMemoryError) else shortage
            continue
        return session, _reason(session, runtimes, seconds, failures, chosen=device != "auto" or runtime != "auto")
    if shortage is not None:
        raise shortage
    raise RuntimeUnavailableError(_nothing_works(device, runtime, infos, failures))


def run_trial(session: Session, model: Model, tile: int) -> float:
    """Run one empty tile and check what comes out.

    Returns:
        Seconds that it took.

    Raises:
        InferenceError: the result has another shape, or is not finite.
    """
    tiles = np.zeros((1, model.card.bands, tile, tile), model.card.dtype)
    begin = time.perf_counter()
    result = session.predict(tiles)
    seconds = time.perf_counter() - begin
    expected = (1, len(model.card.classes), tile, tile)
    if result.shape != expected:
        raise InferenceError(f"A trial run gave the shape {result.shape} instead of {expected}.")
    if not np.isfinite(result).all():
        raise InferenceError("A trial run gave values that are not finite.")
    return seconds


def _reason(
    session: Session,
    runtimes: dict[str, Runtime],
    seconds: float,
    failures: Sequence[tuple[DeviceInfo, str]],
    *,
    chosen: bool,
) -> str:
    what = f"{runtimes[session.runtime].title} on {session.device} in {session.precision}"
    why = "as asked for" if chosen else "the quickest in the known order whose trial run worked"
    text = f"{what}: {why} ({seconds * 1000:.0f} ms for a tile)"
    if failures:
        info, reason = failures[0]
        text += f"; not {runtimes[info.runtime].title} on {info.device}, because: {reason.rstrip('.')}"
    return text + "."


def _nothing_works(
    device: str, runtime: str, infos: Sequence[DeviceInfo], failures: Sequence[tuple[DeviceInfo, str]]
) -> str:
    if failures:
        reasons = "; ".join(f"{info.runtime} on {info.device}: {reason.rstrip('.')}" for info, reason in failures)
        return f"The model cannot be run ({reasons})."
    known = ", ".join(sorted({info.device for info in infos})) or "none"
    where = "" if runtime == "auto" else f" for {runtime}"
    return f"There is no device '{device}'{where} in this machine; there are: {known}."

"""All runtimes, and the choice between them: the one asked for, or the fastest which works."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import InferenceError, OutOfMemoryError, ParameterError, RuntimeUnavailableError, shorten
from ..models.registry import Model
from ..protocol.options import RuntimeOptions
from .base import DeviceInfo, NetworkFactory, OpenedSession, Runtime, Session, SessionConfig
from .mindspore import MindSpore
from .mindspore_lite import MindSporeLite
from .onnxruntime import IsolatedOnnxRuntime, OnnxRuntime
from .openvino import OpenVino
from .trial import try_in_child

#: Every runtime. A line here makes one available by name; a line in AUTO_ORDER lets ``--runtime auto`` choose it.
RUNTIMES: Sequence[Callable[[], Runtime]] = (OpenVino, OnnxRuntime, IsolatedOnnxRuntime, MindSporeLite, MindSpore)
#: What ``auto`` tries, the fastest first; within a kind of device the order is that of docs/models-and-runtimes.md.
#: Devices whose speed was never measured (TensorRT, CoreML, Intel graphics) are used only when asked for.
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
    """Return every runtime by its name, whether or not it is installed."""
    return {runtime.name: runtime for runtime in (create() for create in RUNTIMES)}


def rank_devices(device: str, runtime: str, infos: Sequence[DeviceInfo]) -> list[DeviceInfo]:
    """Return the devices to try, in order.

    Args:
        device: ``auto``, a kind of device (``cpu``, ``cuda``) or one of them (``cuda:1``).
        runtime: ``auto`` or the name of a runtime.
        infos: every device of every runtime.
    """
    ranks = {pair: rank for rank, pair in enumerate(AUTO_ORDER)}
    ranked = []
    for info in infos:
        kind = info.device.partition(":")[0]
        rank = ranks.get((kind, info.runtime), len(AUTO_ORDER))
        fits = runtime in {"auto", info.runtime} and device in {"auto", info.device, kind}
        if fits and (rank < len(AUTO_ORDER) or not device == runtime == "auto"):
            ranked.append((rank, info))
    return [info for _, info in sorted(ranked, key=lambda pair: pair[0])]


def open_session(
    model: Model,
    tile: int,
    options: RuntimeOptions | None = None,
    *,
    cache: Path | None = None,
    network_factory: NetworkFactory | None = None,
) -> OpenedSession:
    """Open ``model`` on the device asked for, or where it runs fastest.

    Each device has to pass a trial run before it is chosen.

    Args:
        model: a model of the registry.
        tile: side of the tiles, in pixels.
        options: device, runtime, precision and threads; all ``auto`` unless given.
        cache: folder for compiled models (see ``cache.default_cache_folder``); ``None`` compiles anew.
        network_factory: makes MindSpore networks; without it MindSpore cannot be used.

    Returns:
        The session and the reason for the choice.

    Raises:
        RuntimeUnavailableError: what was asked for does not work, or nothing does; with the reason.
        ParameterError: there is no runtime of that name, or the number of threads is not positive.
        ModelError: the model is damaged.
        OutOfMemoryError: there was not enough memory to try the model.
    """
    options = options or RuntimeOptions()
    runtimes = create_runtimes()
    if options.runtime != "auto" and options.runtime not in runtimes:
        known = ", ".join(runtimes)
        raise ParameterError(f"There is no runtime '{shorten(options.runtime)}'; there are: auto, {known}.")
    if options.threads is not None and options.threads < 1:
        raise ParameterError(f"The number of threads must be at least 1, not {options.threads}.")
    infos = [
        info for name, runtime in runtimes.items() if options.runtime in {"auto", name} for info in runtime.devices()
    ]
    failures: list[tuple[DeviceInfo, str]] = []
    shortage: OutOfMemoryError | None = None
    for info in rank_devices(options.device, options.runtime, infos):
        if info.reason:
            failures.append((info, info.reason))
            continue
        config = SessionConfig(info.device, tile, options.precision, options.threads, cache, network_factory)
        try:
            session, seconds = _open_and_try(runtimes[info.runtime], model, config)
        except (RuntimeUnavailableError, InferenceError, OutOfMemoryError) as error:
            failures.append((info, error.text))
            shortage = error if isinstance(error, OutOfMemoryError) else shortage
            continue
        title = runtimes[info.runtime].title
        return OpenedSession(session, _explain_choice(session, seconds, options, runtimes, failures, title=title))
    if shortage is not None:
        raise shortage
    raise RuntimeUnavailableError(_explain_failure(options, infos, failures))


def _open_and_try(runtime: Runtime, model: Model, config: SessionConfig) -> tuple[Session, float]:
    """Open a session and run it once; it is closed if the trial run fails.

    A graph from elsewhere is first tried in a process of its own, if it would be run in this one.
    """
    if runtime.graph_process == "engine":
        try_in_child(runtime.name, model, config)
    session = runtime.open(model, config)
    try:
        return session, run_trial(session, model, config.tile)
    except BaseException:
        session.close()
        raise


def run_trial(session: Session, model: Model, tile: int) -> float:
    """Run one empty tile and check the result.

    Returns:
        Seconds that it took.

    Raises:
        InferenceError: the result has another shape, or is not finite.
    """
    tiles = np.zeros((1, model.card.bands, tile, tile), model.card.dtype)
    start = time.perf_counter()
    result = session.predict(tiles)
    seconds = time.perf_counter() - start
    expected = (1, len(model.card.classes), tile, tile)
    if result.shape != expected:
        raise InferenceError(f"A trial run gave the shape {result.shape} instead of {expected}.")
    if not np.isfinite(result).all():
        raise InferenceError("A trial run gave values that are not finite.")
    return seconds


def _explain_choice(
    session: Session,
    seconds: float,
    options: RuntimeOptions,
    runtimes: Mapping[str, Runtime],
    failures: Sequence[tuple[DeviceInfo, str]],
    *,
    title: str,
) -> str:
    """Return the sentence on which session, of the runtime called ``title``, was opened and why."""
    is_automatic = options.device == options.runtime == "auto"
    why = "the first one, in the order of expected speed, whose trial run worked" if is_automatic else "as asked for"
    text = f"{title} on {session.device} in {session.precision}: {why}"
    text += f" ({seconds * 1000:.0f} ms for a tile)"
    if failures:
        info, reason = failures[0]
        text += f"; not {runtimes[info.runtime].title} on {info.device}, because: {reason.rstrip('.')}"
    return text + "."


def _explain_failure(
    options: RuntimeOptions, infos: Sequence[DeviceInfo], failures: Sequence[tuple[DeviceInfo, str]]
) -> str:
    """Return the sentence on why no session could be opened."""
    if failures:
        reasons = "; ".join(f"{info.runtime} on {info.device}: {reason.rstrip('.')}" for info, reason in failures)
        return f"The model cannot be run ({reasons})."
    known = ", ".join(sorted({info.device for info in infos})) or "none"
    where = "" if options.runtime == "auto" else f" for {options.runtime}"
    return f"There is no device '{shorten(options.device)}'{where} in this machine; there are: {known}."

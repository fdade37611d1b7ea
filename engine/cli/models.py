"""``terraspore models``, ``devices`` and ``install``: what can be run here, where, and a model of one's own."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..concurrency import limit_threads, report_if_slow
from ..context import RunContext
from ..errors import ModelError, shown
from ..models.infer_card import ModelHints
from ..models.registry import Model, install_model, model_folders, scan_models
from ..protocol.messages import Message, Result, SummaryValue
from ..protocol.options import RuntimeOptions
from ..runtimes.pool import SessionPool
from ..runtimes.probe import TILE, ProbeResult, choose_default, probe_devices
from ..runtimes.registry import create_runtimes
from .cli_context import current_cli_context, reports_result
from .console import format_table
from .options import PATH, declared_options, given_options

_MEGABYTE = 1e6
#: What a summary has of a card as it is.
_SUMMARIZED = "title task architecture resolution bands tile threshold licence data split notes".split()  # noqa: SIM905
_WIDTH = 100  # of the lines of a paragraph


@click.command()
@reports_result
def models(context: RunContext) -> Result:
    """List the models: bundled ones, and those in the folders of the variable TERRASPORE_MODELS."""
    found = scan_models(model_folders())
    for fault in found.faults.values():
        context.warn(fault)
    summary: dict[str, SummaryValue] = {"models": len(found.models)}
    for model in found.models:
        summary.update({f"{model.card.name}.{key}": value for key, value in summarize_model(model).items()})
    folders = {model.card.name: str(model.weights.parent) for model in found.models}
    return Result(folders, summary, _format_models(found.models))


def summarize_model(model: Model) -> dict[str, SummaryValue]:
    """Summarize a model: its card, its metrics, and the size of its weights in bytes."""
    card, classes = model.card, ", ".join(entry.name for entry in model.card.classes)
    return {
        **{name: getattr(card, name) for name in _SUMMARIZED},
        "classes": classes,
        "bytes": model.weights.stat().st_size,
        "sha256": model.sha256,
        **{f"metrics.{name}": value for name, value in card.metrics.items()},
    }


def _format_models(found: tuple[Model, ...]) -> str:
    """Format a table of the models, and below it a paragraph for each."""
    if not found:
        return "There are no models."
    headings = ("name", "task", "network", "m/pixel", "tile", "MB")
    rows = [
        (
            model.card.name,
            model.card.task,
            model.card.architecture or model.weights.suffix.lstrip("."),
            f"{model.card.resolution:g}",
            str(model.card.tile),
            f"{model.weights.stat().st_size / _MEGABYTE:.1f}",
        )
        for model in found
    ]
    return "\n\n".join([format_table(headings, rows), *(_format_details(model) for model in found)])


def _format_details(model: Model) -> str:
    card = model.card
    metrics = ", ".join(f"{name} {value:.3g}" for name, value in card.metrics.items()) or "none measured"
    parts = (
        f"classes: {', '.join(entry.name for entry in card.classes)}",
        f"metrics: {metrics}",
        f"licence: {card.licence}",
    )
    wrapper = textwrap.TextWrapper(_WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    folder = f"  folder: {shown(str(model.weights.parent))}"  # whole, to be copied
    return "\n".join([f"{card.name}: {card.title}", *map(wrapper.fill, parts), folder])


@click.command()
@click.option("--threads", type=click.IntRange(1), help="Processor threads; all cores unless given.")
@reports_result
def devices(context: RunContext, threads: int | None) -> Result:
    """Try every device of every runtime with a small network, and say which one auto takes and why."""
    results = probe_devices(create_runtimes(), limit_threads(threads, context))
    best = choose_default(results)
    summary: dict[str, SummaryValue] = {"auto": _device_name(best) if best else None}
    rows = []
    for result in results:
        info, seconds = result.info, result.seconds
        facts: dict[str, SummaryValue] = {
            "hardware": info.title,
            "works": int(result.works),
            "precision": result.precision or None,
            "milliseconds": None if seconds is None else round(seconds * 1000, 2),
            "reason": info.reason or None,
        }
        summary.update({f"{_device_name(result)}.{key}": value for key, value in facts.items()})
        milliseconds = "-" if seconds is None else f"{seconds * 1000:.1f}"
        outcome = ("yes" if result.works else "no", result.precision or "-", milliseconds)
        rows.append((info.runtime, info.device, *outcome, info.title, info.reason))
    table = format_table(("runtime", "device", "works", "precision", "ms", "hardware", "reason"), rows)
    note = f"(ms: for one tile of {TILE} x {TILE} pixels of a small network)"
    return Result({}, summary, f"{table}\n{note}\n\n{describe_choice(results, best)}")


def _device_name(result: ProbeResult) -> str:
    return f"{result.info.runtime} on {result.info.device}"


def describe_choice(results: Sequence[ProbeResult], best: ProbeResult | None) -> str:
    """Describe in one sentence which device ``auto`` takes and why."""
    if best is None:
        return "No usable device was found."
    others = [f"{result.seconds * 1000:.1f} ms in {_device_name(result)}" for result in results if result.seconds]
    return (
        f"auto takes {_device_name(best)} in {best.precision}: of the devices that work here, it is the first in the "
        f"known order of speed (the small network takes {', '.join(others)})."
    )


#: A shorter type may leave 0..1 by its rounding.
_SLACK = 0.02


@click.command()
@click.argument("source", type=PATH)
@click.option("--to", "target", type=PATH, required=True, help="The new folder; its name becomes the model's.")
@declared_options(ModelHints)
@click.option("--device", default="auto", show_default=True, help="Where the model is tried.")
@click.option("--runtime", default="auto", show_default=True, help="In which runtime the model is tried.")
@reports_result
def install(context: RunContext, source: Path, target: Path, device: str, runtime: str, **given: Any) -> Result:
    """Check the model SOURCE (.ckpt, .onnx, .mindir, or a folder with card.json), try it, and copy it to a folder.

    Facts that a weights file without a card does not say itself are given as options.
    """
    hints = given_options(ModelHints, given)
    sessions, options = current_cli_context().session_pool(), RuntimeOptions(device=device, runtime=runtime)
    model = install_model(source, target, hints, lambda made: _check_inference(made, sessions, options, context))
    text = f"The model {model.card.name} works and is in {target}."
    return Result({"model": str(target)}, summarize_model(model), text)


def _check_inference(model: Model, sessions: SessionPool, options: RuntimeOptions, context: RunContext) -> None:
    """Run one tile through ``model`` and look at what comes out."""
    card = model.card
    generator = np.random.default_rng(0)
    tile = generator.integers(0, 255, (1, card.bands, card.tile, card.tile)).astype(card.dtype)
    with ExitStack() as stack:
        with report_if_slow(context, f"The model {card.name} is being loaded; this takes a while."):
            session, why = stack.enter_context(sessions.open(model, options, card.tile))
        context.report(Message(why))
        found = session.predict(tile)
    if not bool(np.isfinite(found).all()) or float(found.min()) < -_SLACK or float(found.max()) > 1 + _SLACK:
        raise ModelError(
            f"The model's output is not a probability: it is from {float(found.min()):g} to {float(found.max()):g}.",
            "Check the activation and the normalisation of the card.",
        )

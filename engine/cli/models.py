"""``terraspore models``: installed models with their metrics and licences."""

from __future__ import annotations

import textwrap

import click

from ..context import RunContext
from ..errors import shown
from ..models.registry import Model, model_folders, scan_models
from ..protocol.messages import Result, SummaryValue
from .cli_context import reports_result
from .console import format_table

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
    return Result(folders, summary, _format_listing(found.models))


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


def _format_listing(found: tuple[Model, ...]) -> str:
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

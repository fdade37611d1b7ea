"""``terraspore models``: the models that are there, and what they were measured to do."""

from __future__ import annotations

import time

import click

from ..events import Cancellation, Message, Reporter, Result
from ..models.card import ModelCard
from ..models.catalogue import Model, model_folders, scan_models
from .context import json_option, run_reported
from .table import table

_MEGABYTE = 1e6


@click.command()
@json_option
def models(as_json: bool) -> None:
    """List the models: bundled ones, and those in the folders of the variable TERRASPORE_MODELS."""

    def work(reporter: Reporter, _cancellation: Cancellation) -> Result:
        """List the models."""
        begin = time.perf_counter()
        catalogue = scan_models(model_folders())
        for fault in catalogue.faults.values():
            reporter.emit(Message(fault, "warning"))
        summary: dict[str, float | int | str | None] = {"models": len(catalogue.models)}
        for model in catalogue.models:
            summary.update({f"{model.card.name}.{key}": value for key, value in model_facts(model).items()})
        return Result(
            outputs={model.card.name: str(model.weights.parent) for model in catalogue.models},
            summary=summary,
            seconds=time.perf_counter() - begin,
            text=_listing(catalogue.models),
        )

    run_reported(as_json, work)


def model_facts(model: Model) -> dict[str, float | int | str | None]:
    """What a list says of a model: facts of its card, its figures, and the size of its weights in bytes."""
    card = model.card
    return {
        "title": card.title,
        "task": card.task,
        "architecture": card.architecture,
        "classes": ", ".join(entry.name for entry in card.classes),
        "resolution": card.resolution,
        "bands": card.bands,
        "tile": card.tile,
        "threshold": card.threshold,
        "bytes": model.weights.stat().st_size,
        "sha256": model.sha256,
        "licence": card.licence,
        "data": card.data,
        "split": card.split,
        "notes": card.notes,
        **{f"figures.{name}": value for name, value in card.figures.items()},
    }


def _listing(found: tuple[Model, ...]) -> str:
    if not found:
        return "There are no models."
    headings = ("name", "task", "network", "m/pixel", "tile", "MB", "figures", "licence")
    rows = [
        (
            model.card.name,
            model.card.task,
            model.card.architecture or model.weights.suffix.lstrip("."),
            f"{model.card.resolution:g}",
            str(model.card.tile),
            f"{model.weights.stat().st_size / _MEGABYTE:.1f}",
            _figures(model.card),
            model.card.licence,
        )
        for model in found
    ]
    return table(headings, rows)


def _figures(card: ModelCard) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in card.figures.items()) or "none"

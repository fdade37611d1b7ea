"""``terraspore evaluate``: evaluate a checkpoint on a split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ...engine.cli.cli_context import reports_result
from ...engine.cli.options import PATH, declared_options
from ...engine.context import RunContext
from ...engine.protocol.messages import Result
from ...engine.protocol.options import OutputOptions


@click.command()
@click.argument("config")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--checkpoint", type=PATH, help="Weights to evaluate; init.checkpoint of CONFIG unless given.")
@click.option("--split", help="Split to evaluate on; data.test of CONFIG unless given.")
@click.option("--out", type=PATH, help="Folder for metrics, confusion matrix and predictions.")
@click.option("--save-predictions", is_flag=True, help="Write the predictions as pictures in the classes' colours.")
@declared_options(OutputOptions, "overwrite")
@reports_result
def evaluate(
    context: RunContext, config: str, overrides: Sequence[str], out: Path | None, overwrite: bool | None, **values: Any
) -> Result:
    """Measure a checkpoint on a split of the data set that CONFIG names.

    CONFIG may be a run's own config.yaml. KEY=VALUE overrides single values: evaluation.tta8=true,
    evaluation.method=sliding.
    """
    from ..config import load_config

    loaded = load_config(config, overrides)  # before MindSpore is loaded
    from ..evaluation import evaluate_checkpoint

    report = evaluate_checkpoint(loaded, **values, out=out, overwrite=bool(overwrite), context=context)
    outputs = {} if out is None else {"folder": str(out)}
    return Result(outputs, {**report.json_metrics(), "images": report.images}, report.text(), report.seconds)

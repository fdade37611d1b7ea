"""``terraspore evaluate``: evaluate a checkpoint on a split."""

from __future__ import annotations

from pathlib import Path

import click

from ...engine.cli.cli_context import json_option, run_command
from ...engine.cli.options import declared_options
from ...engine.cli.paths import PATH
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
@json_option
def evaluate(
    config: str,
    overrides: tuple[str, ...],
    *,
    checkpoint: Path | None,
    split: str | None,
    out: Path | None,
    save_predictions: bool,
    overwrite: bool | None,
    as_json: bool,
) -> None:
    """Measure a checkpoint on a split of the data set that CONFIG names.

    CONFIG may be a run's own config.yaml. KEY=VALUE overrides single values: evaluation.tta8=true,
    evaluation.method=sliding.
    """
    from ..config import load_config

    loaded = load_config(config, overrides)

    def run(context: RunContext) -> Result:
        """Evaluate the checkpoint."""
        from ..evaluation import evaluate_checkpoint

        report = evaluate_checkpoint(
            loaded,
            checkpoint,
            split=split,
            out=out,
            save_predictions=save_predictions,
            overwrite=bool(overwrite),
            context=context,
        )
        summary: dict[str, float | int | str | None] = {**report.json_metrics(), "images": report.images}
        outputs = {} if out is None else {"folder": str(out)}
        return Result(outputs=outputs, summary=summary, seconds=report.seconds, text=report.text())

    run_command(as_json, run)

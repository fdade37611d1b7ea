"""``terraspore convert``: convert weights of PyTorch or MindCV to a checkpoint."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

import click

from ...engine.cli.cli_context import json_option, run_command
from ...engine.cli.options import declared_options
from ...engine.cli.paths import PATH
from ...engine.context import RunContext
from ...engine.fs.outputs import check_written_files
from ...engine.protocol.messages import Result
from ...engine.protocol.options import OutputOptions


@click.command()
@click.argument("source", type=PATH)
@click.argument("target", type=PATH)
@click.option("--arch", required=True, help="Network that the weights are for.")
@click.option(
    "--part",
    type=click.Choice(["auto", "network", "encoder"]),
    default="auto",
    help="What SOURCE holds; by default what matches more names.",
)
@declared_options(OutputOptions, "overwrite")
@json_option
def convert(
    source: Path,
    target: Path,
    arch: str,
    part: Literal["auto", "network", "encoder"],
    *,
    overwrite: bool | None,
    as_json: bool,
) -> None:
    """Convert the weights in SOURCE (.pth, .th, .pt or .ckpt) to the checkpoint TARGET.

    SOURCE may be of torchvision, the original D-LinkNet, GALD-DGCNet, LinkNet's PyTorch port or MindCV. PyTorch is not
    needed, and nothing in the file is executed. Any missing or unexpected name is an error.
    """

    def run(_context: RunContext) -> Result:
        """Convert the weights."""
        from ..weights.convert import convert_weights

        check_written_files([target], [source], overwrite=bool(overwrite))
        started = time.perf_counter()
        report, stem_pool = convert_weights(source, target, arch, part=part)
        pool = f" They were trained with stem_pool: {stem_pool}." if stem_pool else ""
        return Result(
            outputs={"checkpoint": str(target)},
            summary={
                "part": report.part,
                "matched": len(report.matched),
                "missing": len(report.missing),
                "unexpected": len(report.unexpected),
                "filled": len(report.filled),
                "left_out": len(report.left_out),
                "stem_pool": stem_pool,
            },
            seconds=time.perf_counter() - started,
            text=f"Wrote {target}, {report.text()}.{pool}",
        )

    run_command(as_json, run)

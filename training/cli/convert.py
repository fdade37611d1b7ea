"""``terraspore convert``: convert weights of PyTorch or MindCV to a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from ...engine.cli.cli_context import reports_result
from ...engine.cli.options import PATH, declared_options
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
@reports_result
def convert(
    _context: RunContext,
    source: Path,
    target: Path,
    arch: str,
    part: Literal["auto", "network", "encoder"],
    overwrite: bool | None,
) -> Result:
    """Convert the weights in SOURCE (.pth, .th, .pt or .ckpt) to the checkpoint TARGET.

    SOURCE may be of torchvision, the original D-LinkNet, GALD-DGCNet, LinkNet's PyTorch port or MindCV. PyTorch is not
    needed, and nothing in the file is executed. Any missing or unexpected name is an error.
    """
    from ..weights.convert import convert_weights

    check_written_files([target], [source], overwrite=bool(overwrite))
    report, stem_pool = convert_weights(source, target, arch, part=part)
    pool = f" They were trained with stem_pool: {stem_pool}." if stem_pool else ""
    counts = {name: len(getattr(report, name)) for name in ("matched", "missing", "unexpected", "filled", "left_out")}
    summary = {"part": report.part, **counts, "stem_pool": stem_pool}
    return Result({"checkpoint": str(target)}, summary, f"Wrote {target}, {report.text()}.{pool}")

"""``terraspore chips``: cut training chips from a raster and a vector layer."""

from __future__ import annotations

from typing import Any

import click

from ...engine.cli.cli_context import reports_result
from ...engine.cli.options import PATH, declared_options, given_options
from ...engine.context import RunContext
from ...engine.protocol.messages import Result
from ...engine.protocol.options import ImageOptions
from ..chips.request import ChipsRequest


@click.command()
@click.argument("image", type=PATH)
@click.argument("labels", type=PATH)
@click.option("--out", "--output", type=PATH, required=True, help="Folder for the chips.")
@declared_options(ChipsRequest)
@declared_options(ImageOptions, "bands", "nodata", "ignore_alpha")
@reports_result
def chips(context: RunContext, **values: Any) -> Result:
    """Cut training chips from the raster IMAGE and the vector layer LABELS.

    Lines (roads) get their width on the ground; polygons (land cover) their class from --field. Training and validation
    chips lie in different parts of the image. OUT/train.yaml is ready for `terraspore train`.
    """
    from ..chips import cut_chips

    request = given_options(ChipsRequest, values)
    summary = cut_chips(request, context)
    shares = {f"pixels_{name}": count for name, count in zip(summary.names, summary.pixels, strict=True)}
    return Result(
        outputs={"folder": str(request.out), "config": str(summary.config)},
        summary={"train": summary.train, "valid": summary.valid, "resolution": summary.resolution, **shares},
        text=f"{summary.train} training and {summary.valid} validation chips; train with {summary.config}.",
    )

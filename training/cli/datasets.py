"""``terraspore labels``, ``lists``, ``records`` and ``chips``: preparation of data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...engine.cli.cli_context import reports_result
from ...engine.cli.options import PATH, declared_options, given_options
from ...engine.context import RunContext
from ...engine.fs.outputs import check_written_files
from ...engine.protocol.messages import Result, SummaryValue
from ...engine.protocol.options import ImageOptions, OutputOptions
from ..chips.request import ChipsRequest


@click.command()
@click.argument("kind", type=click.Choice(["camvid", "cityscapes", "voc", "sbd"]))
@click.argument("source", type=PATH)
@click.argument("target", type=PATH)
@declared_options(OutputOptions, "overwrite")
@reports_result
def labels(_context: RunContext, kind: str, source: Path, target: Path, overwrite: bool | None) -> Result:
    """Convert the labels of a data set in SOURCE to class ids in TARGET.

    camvid and voc: colour PNGs; cityscapes: *_labelIds.png; sbd: .mat files.
    """
    from ..data.labels import convert_labels

    count = convert_labels(kind, source, target, overwrite=bool(overwrite))
    return Result({"folder": str(target)}, {"labels": count}, f"{count} labels.")


@click.group()
def lists() -> None:
    """Write list files, "image<TAB>label" a line."""


@lists.command("cityscapes")
@click.argument("root", type=PATH)
@declared_options(OutputOptions, "overwrite")
@reports_result
def cityscapes(_context: RunContext, root: Path, overwrite: bool | None) -> Result:
    """Write the lists train, val, trainval, test, train+ and train++ of Cityscapes in ROOT into ROOT."""
    from ..data.lists import cityscapes_lists

    return _write(cityscapes_lists(root), root, overwrite)


@lists.command("voc")
@click.argument("voc", type=PATH)
@click.argument("sbd", type=PATH)
@click.option("--voc-labels", type=PATH, required=True, help="Class-id PNGs of VOC.")
@click.option("--sbd-labels", type=PATH, required=True, help="Class-id PNGs of SBD.")
@click.option("--out", type=PATH, required=True, help="Folder for the lists.")
@declared_options(OutputOptions, "overwrite")
@reports_result
def voc_lists(
    _context: RunContext, voc: Path, sbd: Path, voc_labels: Path, sbd_labels: Path, out: Path, overwrite: bool | None
) -> Result:
    """Write the lists voc_train, voc_val, sbd_train, sbd_val and vocaug_train of VOC2012 with SBD."""
    from ..data.lists import voc_sbd_lists

    return _write(voc_sbd_lists(voc, sbd, voc_labels, sbd_labels, out), out, overwrite)


@lists.command("folder")
@click.argument("images", type=PATH)
@click.argument("labels_folder", metavar="LABELS", type=PATH)
@click.option("--out", type=PATH, required=True, help="The list file; its folder becomes data.root.")
@declared_options(OutputOptions, "overwrite")
@reports_result
def folder(_context: RunContext, images: Path, labels_folder: Path, out: Path, overwrite: bool | None) -> Result:
    """List the images of a folder with the labels of the same name of another."""
    from ..data.lists import folder_list

    return _write({out.stem: folder_list(images, labels_folder, out.parent)}, out.parent, overwrite)


def _write(lists_by_name: dict[str, list[tuple[str, str | None]]], folder: Path, overwrite: bool | None) -> Result:
    from ..data.lists import write_list

    check_written_files([folder / f"{name}.txt" for name in lists_by_name], [], overwrite=bool(overwrite))
    counts: dict[str, SummaryValue] = {}
    for name, pairs in lists_by_name.items():
        write_list(pairs, folder / f"{name}.txt")
        counts[name] = len(pairs)
    text = ", ".join(f"{name} {count}" for name, count in counts.items())
    return Result({"folder": str(folder)}, counts, f"Lists in {folder}: {text}.")


@click.command()
@click.argument("config")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--split", "splits", multiple=True, help="Split to convert; all of CONFIG unless given.")
@click.option("--out", type=PATH, required=True, help="Folder for the files.")
@click.option("--shards", type=click.IntRange(1, 1000), default=8, show_default=True, help="Files per split.")
@reports_result
def records(
    context: RunContext, config: str, overrides: tuple[str, ...], splits: tuple[str, ...], out: Path, shards: int
) -> Result:
    """Convert the data set that CONFIG names to MindRecord files, for data.layout=mindrecord.

    Several sources are written to a folder each.
    """
    from ..config import class_names, load_config
    from ..data import open_split, source_configs
    from ..data.checks import check_files, describe_missing, find_missing_classes
    from ..data.mindrecord import write_records

    loaded = load_config(config, overrides)
    counts: dict[str, SummaryValue] = {}
    for source, data in source_configs(loaded):
        for name in dict.fromkeys(splits or (data.train, *([data.val] if data.val else []), data.test)):
            split = open_split(data, name)
            check_files(split)
            missing = find_missing_classes(split, class_names(loaded))
            if missing:
                context.warn(describe_missing(split, missing))
            write_records(split, out / source.name / name, shards)
            counts[f"{source.name}/{name}" if source.name else name] = len(split.samples)
    text = ", ".join(f"{name} {count}" for name, count in counts.items())
    return Result({"folder": str(out)}, counts, f"Written to {out}: {text}.")


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

"""The fingerprint of a run: everything that decides the pixels of its rasters."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from ...__about__ import __version__
from ..output.journal_lines import FileIdentity, Fingerprint
from ..raster.source import Source
from .prepare import Prepared
from .request import ImageRequest

#: Side files that viewers write at will; what of them counts (place, nodata, bands) is among the settings.
_NOT_PIXELS = (".aux.xml",)


def make_fingerprint(run: Prepared, request: ImageRequest, rasters: Mapping[str, str]) -> Fingerprint:
    """The fingerprint of a run that is about to start.

    Args:
        run: image, model and parameters as they were understood.
        request: as they were asked for.
        rasters: further settings: which rasters are written, and how.
    """
    source, view = run.work.view.source, run.work.view
    others = [*_parts(source), *([request.area] if request.area is not None else [])]
    image = FileIdentity(_absolute(source.path), source.state.size, source.state.modified, source.state.inode)
    settings = {
        "model": run.model.sha256,
        "model's card": _digest(repr(run.model.card)),
        "runtime": _with_version(run.session.runtime),
        "device": run.session.device,
        "precision": run.session.precision,
        "number of threads": str(request.runtime.threads or f"all {os.cpu_count()}"),
        "limit of memory": "none" if request.memory is None else f"{request.memory} MB",  # decides the batch
        "image in the file": str(source.dataset.name),
        "bands": ",".join(map(str, view.bands.indices)),
        "stretch": "none" if view.stretch is None else repr((view.stretch.low, view.stretch.high)),
        "nodata": str(source.dataset.nodata),
        "size in pixels": f"{view.grid.width} x {view.grid.height}",
        "place": ", ".join(f"{number!r}" for number in tuple(view.grid.transform)[:6]),
        "coordinate system": _digest(view.grid.crs.to_wkt()) if view.grid.crs else "none",
        "tile": str(run.work.plan.tile),
        "overlap": str(run.work.plan.overlap),
        "augmentation": "eight symmetries" if request.tta else "none",
        **rasters,
    }
    return Fingerprint(__version__, (image, *_identities(others)), settings)


def _parts(source: Source) -> list[Path]:
    """The files beside the image itself that its dataset consists of, as those of a virtual raster."""
    files = {Path(_absolute(Path(name))) for name in source.dataset.files}
    own = Path(_absolute(source.path))
    return sorted(file for file in files if file != own and not file.name.endswith(_NOT_PIXELS))


def _identities(files: Iterable[Path]) -> list[FileIdentity]:
    return [FileIdentity.of(file) for file in files if file.is_file()]


def _absolute(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 (links stay as they were given)


def _with_version(runtime: str) -> str:
    """The runtime and its version, where it is a package: another version can compute other last bits."""
    try:
        return f"{runtime} {metadata.version(runtime)}"
    except metadata.PackageNotFoundError:
        return runtime


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]

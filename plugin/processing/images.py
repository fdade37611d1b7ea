"""The images of a run: the layer INPUT, further layers and a folder, as the engine's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..engine.errors import EngineError
from ..i18n import tr
from ..layers.sources import LayerSource, get_file_with_crs

#: More images than this are named in a file, because a command line is limited in length.
_MAX_ARGUMENTS = 100


def name_images(sources: Sequence[LayerSource], folder: str, scratch: Path, *, allow_remote: bool) -> list[str]:
    """Return what the engine is given as images.

    Args:
        sources: the layers, from the top.
        folder: a folder of further images; empty for none.
        scratch: a private folder.
        allow_remote: whether the engine may read images on the network.

    Raises:
        EngineError: a layer is no file that the engine can read.
    """
    images = [
        _name_image(source, scratch, f"image{number}.vrt", allow_remote=allow_remote)
        for number, source in enumerate(sources)
    ]
    if folder:
        images.append(str(Path(folder).absolute()))
    if len(images) <= _MAX_ARGUMENTS:
        return images
    listed = scratch / "images.txt"
    listed.write_text("".join(f"{image}\n" for image in images), encoding="utf-8")
    return [str(listed)]


def _name_image(source: LayerSource, scratch: Path, name: str, *, allow_remote: bool) -> str:
    if source.path is not None:
        return str(get_file_with_crs(source, scratch, name))
    if source.remote and allow_remote:
        return source.remote
    if source.remote:
        hint = tr('Choose "Read images from the network", or save the layer as a file first.')
        raise EngineError(tr("The layer {layer} is on the network.").format(layer=source.name), hint)
    hint = tr("A mosaic needs files; save the layer as one first.")
    raise EngineError(tr("{layer} is not a raster file.").format(layer=source.name), hint)

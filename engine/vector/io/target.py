"""Where the layers of a run are written: a GeoPackage with all of them, or a file for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import ParameterError, shorten
from ...fs.outputs import Outputs
from .formats import choose_format
from .geopackage import check_geopackage

#: What SQLite and GeoPackage use for their own tables.
_RESERVED = ("gpkg_", "rtree_", "sqlite_", "layer_styles")
_MAX_NAME_BYTES = 200


@dataclass(frozen=True)
class VectorTarget:
    """The file of vector layers that a run writes.

    Attributes:
        path: the file; its suffix selects the format.
        names: the name of each layer in a GeoPackage, by the layer's own name, the main layer first; layers of a person
            that are named here are replaced. A layer that is missing here keeps its own name.
        crs: CRS of the file; None for that of the geometries.
        metadata: provenance (model, hash, parameters). Stored with the layers of a GeoPackage or FlatGeobuf and as the
            description of a GeoJSON; other formats cannot store it.
        outputs: receives the complete files and publishes them with the others of the run; None publishes them as soon
            as they are written.
    """

    path: Path
    names: Mapping[str, str] = field(default_factory=dict)
    crs: object | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    outputs: Outputs | None = None

    @property
    def files(self) -> dict[str, Path]:
        """The file of each layer, by the layer's own name."""
        return layer_files(self.path, self.names)

    @property
    def extended(self) -> list[Path]:
        """The file, if it may hold further layers, which are kept."""
        return [self.path] if choose_format(self.path).is_multi_layer else []

    def check(self, *, overwrite: bool) -> None:
        """Check, before any work, that the layers can be written.

        Args:
            overwrite: whether layers that exist in the file may be replaced.

        Raises:
            ParameterError: no format has the suffix, or a name cannot be that of a layer.
            OutputError: the file is not a GeoPackage, has such layers already, or is being changed.
        """
        for layer, name in self.names.items():
            if name != layer and not self.extended:
                raise ParameterError(
                    f"The option --layer names layers of a GeoPackage, but {self.path.name} is none.",
                    "Its layer is named after the file.",
                )
            if not name.strip() or not name.isprintable() or '"' in name or name.lower().startswith(_RESERVED):
                raise ParameterError(f"A layer cannot have the name '{shorten(name)}'.", "Choose another --layer.")
            if len(name.encode("utf-8", "replace")) > _MAX_NAME_BYTES:
                raise ParameterError(f"The name of the layer '{shorten(name)}' is too long.", "Choose another --layer.")
        if self.extended:
            check_geopackage(self.path, list(self.names.values()), overwrite=overwrite)


def layer_files(path: Path, layers: Iterable[str]) -> dict[str, Path]:
    """Return the file of each of ``layers``: ``path``, or only for the first one where a file holds one layer."""
    names = list(layers)
    if choose_format(path).is_multi_layer:
        return dict.fromkeys(names, path)
    return {
        name: path if index == 0 else path.with_name(f"{path.stem}_{name}{path.suffix}")
        for index, name in enumerate(names)
    }

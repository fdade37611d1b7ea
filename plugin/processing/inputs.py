"""The values of an algorithm's parameters, as a run reads them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsFeatureSource,
    QgsMapLayer,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsRasterLayer,
)

from ...engine.protocol.declaration import Option
from ..engine.errors import EngineError
from ..i18n import tr

#: Vector files that the engine reads as they are; the first of them is what other layers are saved as.
VECTOR_SUFFIXES = ["gpkg", "shp", "geojson", "fgb"]


@dataclass(frozen=True)
class RunInputs:
    """Reads the parameters of one run by their names.

    Attributes:
        algorithm: declares the parameters.
        parameters: their values, as Processing gives them.
        context: as Processing gives it.
        feedback: as Processing gives it.
    """

    algorithm: QgsProcessingAlgorithm
    parameters: dict[str, Any]
    context: QgsProcessingContext
    feedback: QgsProcessingFeedback

    def has(self, name: str) -> bool:
        """Return whether a value was given."""
        return self.parameters.get(name) not in (None, "", [])

    def get_text(self, name: str) -> str:
        """Return a text; empty for none."""
        return self.algorithm.parameterAsString(self.parameters, name, self.context)

    def get_bool(self, name: str) -> bool:
        """Return a yes or no."""
        return self.algorithm.parameterAsBool(self.parameters, name, self.context)

    def get_choice(self, name: str) -> str:
        """Return the name of a choice; empty for none."""
        return self.algorithm.parameterAsEnumString(self.parameters, name, self.context)

    def get_bands(self) -> tuple[int, ...]:
        """Return the numbers of ``BANDS``; empty for none."""
        return tuple(self.algorithm.parameterAsInts(self.parameters, "BANDS", self.context))

    def get_path(self, name: str) -> Path | None:
        """Return the absolute path of a file or folder; None for none."""
        text = self.get_text(name)
        return Path(text).absolute() if text else None

    def get_layers(self, name: str) -> list[QgsMapLayer]:
        """Return the layers of a list."""
        return self.algorithm.parameterAsLayerList(self.parameters, name, self.context)

    def get_raster_layer(self, name: str) -> QgsRasterLayer:
        """Return a raster layer.

        Raises:
            EngineError: it cannot be read.
        """
        layer = self.algorithm.parameterAsRasterLayer(self.parameters, name, self.context)
        if layer is None:
            raise EngineError(self.algorithm.invalidRasterError(self.parameters, name))
        return layer

    def get_source(self, name: str) -> QgsFeatureSource | None:
        """Return the features of a layer; None for none."""
        return self.algorithm.parameterAsSource(self.parameters, name, self.context)

    def get_output_layer(self, name: str) -> str:
        """Return the destination of a layer: a file, or a layer in one."""
        return self.algorithm.parameterAsOutputLayer(self.parameters, name, self.context)

    def get_number(self, name: str) -> float | None:
        """Return a number; None where it was left empty.

        Raises:
            EngineError: it is below the smallest value.
        """
        definition = self.algorithm.parameterDefinition(name)
        if definition is None or self.parameters.get(name, definition.defaultValue()) in (None, ""):
            return None
        value = self.algorithm.parameterAsDouble(self.parameters, name, self.context)
        if value < definition.minimum():
            text = tr("{name} must be at least {limit}.")
            raise EngineError(text.format(name=name, limit=f"{definition.minimum():g}"))
        return value

    def get_option(self, option: Option, name: str = "") -> Any:
        """Return the value of a declared option from the parameter ``name``; None leaves it to the engine."""
        name = name or option.name.upper()
        if option.kind == "bool":
            return self.get_bool(name)
        if option.info.choices:
            return self.get_choice(name) or None
        if option.info.items:  # words with commas between them
            return tuple(filter(None, map(str.strip, self.get_text(name).split(","))))
        if option.kind == "str":
            return self.get_text(name).strip() or None
        return self.get_number(name)

    def get_vector_layer(self, name: str) -> tuple[Path, str]:
        """Return the file and the layer in it of vectors; others than those of a file are saved to one first.

        Raises:
            EngineError: they cannot be read.
        """
        path, layer = self.algorithm.parameterAsCompatibleSourceLayerPathAndLayerName(
            self.parameters, name, self.context, VECTOR_SUFFIXES, VECTOR_SUFFIXES[0], self.feedback
        )
        return _check_vectors(path, name), layer

    def get_vector_file(self, name: str) -> Path:
        """Return a file of vectors that has no other layer; see ``get_vector_layer``."""
        path = self.algorithm.parameterAsCompatibleSourceLayerPath(
            self.parameters, name, self.context, VECTOR_SUFFIXES, VECTOR_SUFFIXES[0], self.feedback
        )
        return _check_vectors(path, name)


def _check_vectors(path: str, name: str) -> Path:
    if not path:
        raise EngineError(tr("The vectors of {name} cannot be read.").format(name=name))
    return Path(path).absolute()

"""The algorithm Make Vectors from a Probability Raster: a new threshold or simplification without a new inference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import QgsProcessing, QgsProcessingParameterRasterLayer

from ...engine.protocol.declaration import Option, options_of
from ...engine.protocol.options import (
    ClassRasterOptions,
    CoverageOptions,
    RasterOptions,
    RoadOptions,
    UpdateOptions,
)
from ..i18n import tr
from ..layers.geopackage import parse_destination
from ..layers.results import load_vector_layers
from ..layers.sources import require_local_file
from .arguments import make_vectorize_arguments
from .base import EngineAlgorithm
from .inputs import RunInputs
from .parameters import make_choice_parameter, make_option_parameter, make_vector_output, mark_advanced

KINDS = ["roads", "landcover"]
#: The engine's options that are parameters, by kind; those of both kinds share a parameter.
OPTIONS = {
    "roads": {
        **options_of(RoadOptions, "threshold", "simplify", "min_length", "gap", "spur", "merge_parallel", "osm_tags"),
        **options_of(UpdateOptions, "update", "update_distance"),
        **options_of(RasterOptions, "band", "values", "scale", "nodata"),
    },
    "landcover": {
        **options_of(CoverageOptions, "simplify", "minimum_area", "classes", "regularise", "regularise_error"),
        **options_of(ClassRasterOptions),
        **options_of(RasterOptions, "band", "values", "nodata"),
    },
}
UPDATE, CONFIDENCE = options_of(UpdateOptions), options_of(ClassRasterOptions)["confidence"]
#: Shown under "Advanced".
ADVANCED = (
    "gap",
    "spur",
    "merge_parallel",
    "osm_tags",
    "minimum_area",
    "classes",
    "regularise_error",
    "confidence",
    "update",
    "update_distance",
    "band",
    "values",
    "scale",
    "nodata",
)
#: Layers of the result: kind -> (layer, English name), the main one first.
LAYERS = {
    "roads": (
        ("roads", "Roads"),
        ("road_nodes", "Road nodes"),
        ("road_areas", "Road areas"),
        ("road_changes", "Road changes"),
    ),
    "landcover": (("landcover", "Land cover"),),
}


def list_vector_options() -> dict[str, tuple[Option, list[str]]]:
    """Return the options of all kinds by name: the declaration, and the kinds that have it.

    Raises:
        ValueError: two kinds have options of the same name that differ in type or unit and cannot share a parameter.
    """
    found: dict[str, tuple[Option, list[str]]] = {}
    for kind, options in OPTIONS.items():
        for name, option in options.items():
            shared, kinds = found.setdefault(name, (option, []))
            if (shared.kind, shared.info.unit) != (option.kind, option.info.unit):
                raise ValueError(f"{name} of {kind} and of {kinds[0]} are different options")
            kinds.append(kind)
    return found


class VectorizeAlgorithm(EngineAlgorithm):
    """Make vectors from a raster of probabilities or of classes."""

    ID = "vectorize"
    TITLE = "Make Vectors from a Probability Raster"
    ICON = "vectorize"
    NEEDS_FILE = True
    TAGS = "vectorize,polygonize,threshold,simplify,probability,mask,roads,land cover"
    HELP = (
        "Makes road lines from a raster of road probabilities, or land-cover polygons from a raster of classes, "
        "with another threshold or simplification and without a new computation of the network. "
        "Rasters of other programs work too: probabilities in any unit, masks and classes. What the values mean is "
        "decided by the raster, or chosen under the advanced parameters."
    )

    def initAlgorithm(self, _configuration: dict[str, Any] | None = None) -> None:  # noqa: N802
        """Declare parameters and outputs."""
        self.addParameter(QgsProcessingParameterRasterLayer("INPUT", tr("Raster of probabilities or classes")))
        self.addParameter(make_choice_parameter("KIND", tr("What the raster shows"), KINDS))
        for name, (option, kinds) in list_vector_options().items():
            parameter = make_option_parameter(option, show_default=len(kinds) == 1)
            self.addParameter(mark_advanced(parameter) if name in ADVANCED else parameter)
        self.addParameter(make_vector_output(tr("Vectors"), QgsProcessing.SourceType.TypeVectorAnyGeometry))

    def prepare(self, inputs: RunInputs) -> None:
        """Find the rasters' files; raises as ``EngineAlgorithm.prepare``."""
        self._confidence: Path | None = None
        if inputs.has("CONFIDENCE"):
            self._confidence = require_local_file(inputs.get_raster_layer("CONFIDENCE"))
        super().prepare(inputs)

    def compute(self, inputs: RunInputs, folder: Path) -> dict[str, Any]:
        """Run the engine's command ``vectorize``."""
        raster = self.source.path
        assert raster is not None
        kind = inputs.get_choice("KIND")
        target = inputs.get_output_layer("OUTPUT")
        destination = parse_destination(target)
        values = [(option, inputs.get_option(option)) for option in OPTIONS[kind].values() if not option.info.holds]
        if kind == "roads" and inputs.has("UPDATE"):
            path, layer = inputs.get_vector_layer("UPDATE")
            values += [(UPDATE["update"], path), (UPDATE["update_layer"], layer or None)]
        elif kind == "landcover" and self._confidence is not None:
            values.append((CONFIDENCE, self._confidence))
        arguments = make_vectorize_arguments(kind, raster, destination.path, values, layer=destination.layer)
        result = self.run_engine(arguments, inputs.feedback)
        main, *further = LAYERS[kind]
        group = f"{tr(main[1])} – {self.source.name}"
        facts = self.describe_result(result)
        layers = {"OUTPUT": main, **{entry[0]: entry for entry in further}}
        return {"OUTPUT": load_vector_layers(inputs.context, target, layers, group, facts)["OUTPUT"]}

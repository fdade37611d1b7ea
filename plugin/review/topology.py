"""Add the rules of ``resources/topology.json`` to a project, for QGIS's topology checker."""

from __future__ import annotations

import json

from qgis.core import QgsProject, QgsVectorLayer
from qgis.PyQt.QtCore import QCoreApplication

from ..layers.geopackage import locate_layer
from ..paths import TOPOLOGY_RULES

#: Where QGIS's topology checker keeps its rules in a project, and the context of its translations.
_SCOPE, _CONTEXT = "Topol", "topolTest"
_NO_LAYER = "No layer"


def add_topology_rules(project: QgsProject) -> int:
    """Add the rules for all layers of ``project`` that have some; return how many were added.

    Rules that the project has stay, and none is added twice. The checker reads them when its panel is opened for the
    first time, and when the project is opened.
    """
    rules = json.loads(TOPOLOGY_RULES.read_text("utf-8"))
    layers = {layer.id(): layer for layer in project.mapLayers().values() if isinstance(layer, QgsVectorLayer)}
    count = project.readNumEntry(_SCOPE, "/testCount", 0)[0]
    present = {
        tuple(project.readEntry(_SCOPE, f"/{key}_{number}", "")[0] for key in ("testname", "layer1", "layer2"))
        for number in range(count)
    }
    before = count
    for identifier, layer in layers.items():
        file, name = locate_layer(layer)
        for rule in rules.get(name, []):
            other = next((key for key in layers if locate_layer(layers[key]) == (file, rule.get("other"))), "")
            test = QCoreApplication.translate(_CONTEXT, rule["rule"])  # the checker knows them by their translations
            entry = (test, identifier, other or _NO_LAYER)
            if entry in present or ("other" in rule and not other):
                continue
            for key, value in zip(("testname", "layer1", "layer2"), entry):
                project.writeEntry(_SCOPE, f"/{key}_{count}", value)
            count += 1
    project.writeEntry(_SCOPE, "/testCount", count)
    return count - before

"""Names of the vector layers, as the engine writes and the plugin loads them. Standard library only, Python 3.9."""

from __future__ import annotations

ROADS, NODES, AREAS, CHANGES = "roads", "road_nodes", "road_areas", "road_changes"
#: Roads that a person deleted in a review; the plugin writes it.
DELETED = "road_deleted"


def name_layer(layer: str, main: str | None) -> str:
    """Return the name in the file of one of the layers of a run.

    Args:
        layer: the layer's own name.
        main: the name of the run's main layer; the others get it as their prefix. None for the layers' own names.
    """
    if main is None or main == ROADS:
        return layer
    return main + layer[len("road") :] if layer in (NODES, AREAS, CHANGES, DELETED) else main


def name_road_layers(main: str | None, *, areas: bool, changes: bool = False) -> dict[str, str]:
    """Return the name in the file of each layer of a road network that is written, by the layer's own name.

    Args:
        main: as in ``name_layer``.
        areas: whether the areas of roads are written.
        changes: whether the changes to an existing network are written.
    """
    layers = [ROADS, NODES, *([AREAS] if areas else []), *([CHANGES] if changes else [])]
    return {layer: name_layer(layer, main) for layer in layers}

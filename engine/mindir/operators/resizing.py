"""Changes of a picture's size."""

from __future__ import annotations

from collections.abc import Callable

from ..builder import Call, Ref


def resize(mode: str) -> Callable[[Call], Ref]:
    """``ResizeBilinearV2`` or ``ResizeNearestNeighborV2`` -> ``Resize`` to sizes that follow the input."""

    def convert(call: Call) -> Ref:
        """The resize to the target's shape."""
        source, target = call.tensor(0), call.shapes()
        if bool(call.value(2, "align_corners", False)):
            coordinates, rounding = "align_corners", "round_prefer_ceil"
        elif bool(call.value(3, "half_pixel_centers", False)):
            coordinates, rounding = "half_pixel", "floor" if mode == "nearest" else "round_prefer_floor"
        else:
            coordinates, rounding = "asymmetric", "floor"
        sizes = call.builder.sizes(target, [source])
        return call.emit(
            "Resize",
            [source.name, "", "", sizes],
            mode=mode,
            coordinate_transformation_mode=coordinates,
            nearest_mode=rounding,
        )

    return convert


OPERATORS = {
    "ResizeBilinearV2": resize("linear"),
    "ResizeNearestNeighborV2": resize("nearest"),
}

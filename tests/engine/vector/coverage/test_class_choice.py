"""Which classes get right angles."""

from __future__ import annotations

import pytest
from terraspore.engine.errors import ParameterError
from terraspore.engine.vector.coverage.class_choice import choose_regularized, is_building_name

NAMES = {0: "impervious", 1: "Buildings", 2: "tree", 7: "3"}


@pytest.mark.parametrize(
    "name",
    [
        "building",
        "Buildings",
        "residential house",
        "roof_tiles",
        "Gebäude",
        "建筑物",
        "bâtiments",
        "здание",
        "3 houses",
    ],
)
def test_names_of_buildings(name: str) -> None:
    assert is_building_name(name)


@pytest.mark.parametrize(
    "name", ["road", "non-building", "no building", "非建筑", "greenhouse gas", "background", "", "2"]
)
def test_other_names(name: str) -> None:
    assert not is_building_name(name)


def test_names_and_ids_are_found_once() -> None:
    assert choose_regularized((), NAMES) == [1]
    assert choose_regularized(("none", "tree"), NAMES) == []
    assert choose_regularized(("TREE", " buildings", "2", "0"), NAMES) == [2, 1, 0]
    assert choose_regularized(("3",), NAMES) == [7]  # a name comes before an id
    assert choose_regularized((), {}) == []


@pytest.mark.parametrize(
    ("name", "reason"), [("shed", "impervious, Buildings"), ("70000", "65534"), ("-1", "no class")]
)
def test_unknown_classes_are_refused(name: str, reason: str) -> None:
    with pytest.raises(ParameterError) as caught:
        choose_regularized((name,), NAMES)
    assert reason in f"{caught.value} {caught.value.hint}"

"""The commands give the recorded results (see ``record``)."""

from __future__ import annotations

import copy
import json

import pytest
from recorded.comparing import changed_sentences, differences
from recorded.record import EXPECTED, make_recording

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return make_recording(tmp_path_factory.mktemp("recorded"))


@pytest.fixture(scope="module")
def expected():
    return json.loads(EXPECTED.read_text("utf-8"))


def test_the_commands_give_the_recorded_results(expected, found):
    for line in changed_sentences(expected, found):
        print(f"sentence: {line}")
    assert differences(expected, found) == []


def test_a_resumed_run_gives_the_results_of_an_uninterrupted_one(found):
    resumed, unbroken = (found["results"][name]["files"] for name in ("resumed", "unbroken"))
    assert resumed["long.tif"]["exact"] == unbroken["unbroken.tif"]["exact"]
    assert resumed["long.gpkg"]["layers"] == unbroken["unbroken.gpkg"]["layers"]


def test_differences_are_found(expected):
    """A difference in one pixel, vertex, code or option is found."""
    changed = copy.deepcopy(expected)
    results = changed["results"]
    results["extract roads"]["files"]["roads.tif"]["exact"] = "another"
    results["vectorize roads"]["files"]["lines.gpkg"]["layers"]["roads"]["length"] += 0.01
    results["unknown model"]["events"]["error"]["code"] = "UserError"
    results["help of plan"]["options"].remove("--tile")
    results["compare roads"]["events"]["summary"]["apls"] += 1e-4
    assert len(differences(expected, changed)) == 5


def test_on_another_processor_only_results_of_networks_may_differ(expected):
    changed = copy.deepcopy(expected)
    changed["made_on"]["processor"] = "another"
    results = changed["results"]
    results["extract roads"]["files"]["roads.tif"]["exact"] = "another"
    results["extract roads"]["events"]["summary"]["length"] *= 1.01
    assert differences(expected, changed) == []
    results["extract roads"]["files"]["roads.tif"]["coarse"] = results["unbroken"]["files"]["unbroken.tif"]["coarse"]
    results["vectorize roads"]["files"]["lines.gpkg"]["layers"]["roads"]["exact"] = "another"
    assert [line.partition(":")[0] for line in differences(expected, changed)] == ["extract roads", "vectorize roads"]

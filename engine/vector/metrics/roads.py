"""Quality of a road network: APLS, TOPO, completeness, correctness and quality, junctions, OPT-J.

All lengths are metres; the lines have to be in a metric CRS (see ``inputs.choose_metric_crs``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from ..crs import Bounds
from .apls import one_way_apls
from .definitions import DEFINITIONS, Definition
from .network import Network, PrecisionRecall, find_components, harmonic_mean
from .opt_j import opt_j
from .topo import find_near, match_one_to_one, topo


@dataclass(frozen=True)
class RoadScores:
    """Scores of a road network against the truth.

    Attributes:
        apls: average path length similarity, 0 to 1: the mean of both directions (see ``one_way_apls``).
        topo_precision: share of the reached points that are right, 0 to 1 (see ``topo``); None where the definition has
            no TOPO.
        topo_recall: share of the points of the truth that are reached, 0 to 1.
        topo_f1: their harmonic mean.
        completeness: share of the truth's length that is found, 0 to 1 (see ``buffer_scores``).
        correctness: share of the result's length that is right, 0 to 1.
        quality: right length over the length of the union, 0 to 1.
        line_f1: harmonic mean of completeness and correctness.
        junction_precision: share of the junctions that are right, 0 to 1.
        junction_recall: share of the junctions of the truth that are found, 0 to 1.
        junction_f1: their harmonic mean.
        opt_j_precision: share of the roads at junctions and ends of the result that are right, 0 to 1 (see ``opt_j``).
        opt_j_recall: share of those of the truth that are found, 0 to 1.
        opt_j_f1: their harmonic mean.
        length: metres of the result; ``truth_length`` of the truth.
        pieces: connected components of the result; ``truth_pieces`` of the truth.
        dead_ends: nodes of degree 1 of the result; ``truth_dead_ends`` of the truth.
    """

    apls: float
    apls_truth_to_result: float
    apls_result_to_truth: float
    topo_precision: float | None
    topo_recall: float | None
    topo_f1: float | None
    completeness: float
    correctness: float
    quality: float
    line_f1: float
    junction_precision: float
    junction_recall: float
    junction_f1: float
    opt_j_precision: float
    opt_j_recall: float
    opt_j_f1: float
    length: float
    truth_length: float
    pieces: int
    truth_pieces: int
    dead_ends: int
    truth_dead_ends: int


def score_roads(
    result: Network,
    truth: Network,
    *,
    buffer: float = 5.0,
    definition: Definition = DEFINITIONS["terraspore"],
    extent: Bounds | None = None,
    seed: int = 0,
) -> RoadScores:
    """Compute all scores of a road network.

    Args:
        result: the network to score.
        truth: the reference.
        buffer: largest offset of a line in metres for completeness, correctness and quality.
        definition: of APLS and TOPO.
        extent: within which control points keep the margins of the definition; that of the truth unless given.
        seed: of the generator that draws start points.
    """
    if extent is None and len(truth.lines):
        extent = tuple(shapely.total_bounds(truth.lines).tolist())
    forward, backward = (
        one_way_apls(base, other, definition.apls, extent=extent, seed=seed)
        for base, other in ((truth, result), (result, truth))
    )
    apls = harmonic_mean(forward, backward) if definition.apls.is_harmonic else (forward + backward) / 2.0
    topology = topo(result, truth, definition.topo, seed=seed) if definition.topo else None
    completeness, correctness, quality = buffer_scores(result, truth, buffer)
    junctions, orders = junction_scores(result, truth), opt_j(result, truth)
    return RoadScores(
        apls=apls,
        apls_truth_to_result=forward,
        apls_result_to_truth=backward,
        topo_precision=topology.precision if topology else None,
        topo_recall=topology.recall if topology else None,
        topo_f1=topology.f1 if topology else None,
        completeness=completeness,
        correctness=correctness,
        quality=quality,
        line_f1=harmonic_mean(completeness, correctness),
        junction_precision=junctions.precision,
        junction_recall=junctions.recall,
        junction_f1=junctions.f1,
        opt_j_precision=orders.precision,
        opt_j_recall=orders.recall,
        opt_j_f1=orders.f1,
        length=float(result.length.sum()),
        truth_length=float(truth.length.sum()),
        pieces=count_components(result),
        truth_pieces=count_components(truth),
        dead_ends=int((result.degree() == 1).sum()),
        truth_dead_ends=int((truth.degree() == 1).sum()),
    )


def buffer_scores(result: Network, truth: Network, buffer: float) -> tuple[float, float, float]:
    """Completeness, correctness and quality (Heipke et al. 1997; Wiedemann et al. 1998), each 0 to 1.

    Completeness is the share of the truth's length within the buffer around the result, correctness the share of the
    result's within that around the truth, quality the matched result over the result and the unmatched truth.

    Args:
        result: the network to score.
        truth: the reference.
        buffer: metres.
    """
    length, truth_length = float(result.length.sum()), float(truth.length.sum())
    if length == 0.0 or truth_length == 0.0:
        return 0.0, 0.0, 0.0
    matched_truth = _length_within(truth.lines, result.lines, buffer)
    matched = _length_within(result.lines, truth.lines, buffer)
    return (matched_truth / truth_length, matched / length, matched / (length + truth_length - matched_truth))


def junction_scores(result: Network, truth: Network, distance: float = 10.0) -> PrecisionRecall:
    """Match junctions (nodes of degree 3 and more) one to one within ``distance`` metres."""
    junctions, truth_junctions = result.nodes[result.degree() > 2], truth.nodes[truth.degree() > 2]
    if not len(junctions) or not len(truth_junctions):
        same = float(len(junctions) == len(truth_junctions))
        return PrecisionRecall(same, same)
    pairs = find_near(truth_junctions, junctions, distance)
    matches = match_one_to_one(*pairs, (len(truth_junctions), len(junctions)))
    return PrecisionRecall(matches / len(junctions), matches / len(truth_junctions))


def count_components(network: Network) -> int:
    """Count the connected components."""
    return int(find_components(network).max(initial=-1)) + 1


def _length_within(lines: NDArray[np.object_], around: NDArray[np.object_], buffer: float) -> float:
    """Length in metres of ``lines`` within ``buffer`` metres of the lines ``around``."""
    area = shapely.union_all(shapely.buffer(around, buffer))
    shapely.prepare(area)
    is_inside = shapely.contains_properly(area, lines)
    rest = shapely.intersection(lines[~is_inside], area)
    return float(shapely.length(lines[is_inside]).sum() + shapely.length(rest).sum())

"""Named definitions of APLS and TOPO: the rules in which published implementations differ."""

from __future__ import annotations

from dataclasses import dataclass, replace

#: Metres of 0.00001 degrees in the code of Sat2Graph, whose tolerances are in degrees.
_E5 = 1.11111


@dataclass(frozen=True)
class AplsRules:
    """Rules of average path length similarity (Van Etten, Lindenbaum and Bacastow 2018, arXiv:1807.01232).

    Attributes:
        spacing: largest distance of control points along an edge, metres.
        undivided: edges up to this length have control points at their ends only, metres.
        curvature: edges have further control points only if they are longer than the diagonal of their bounds by this
            share of their length.
        snap: largest distance of a control point from the other network, metres.
        shortest: paths below this length are left out, metres.
        hop: points are snapped to vertices at most this far apart, and edges are measured in such steps, metres; 0: to
            any place of the lines.
        is_one_to_one: whether a place of the other network takes one control point only.
        occupied: with ``hop``, no other control point is snapped within so many steps of one.
        counts_unmatched: whether every pair with a control point that has no counterpart counts as wrong, even where
            the network itself does not connect them.
        is_harmonic: whether the mean of both directions is harmonic rather than arithmetic.
        margins: control points closer than this to the left, bottom, right and top side of the extent are left out.
        sources: largest number of control points from which paths start; of more, so many are drawn.
        has_rings: whether roads that lead from a junction back to itself are part of the network.
        smallest: connected pieces with less length of road are left out, metres.
    """

    spacing: float = 50.0
    undivided: float = 50.0
    curvature: float = 0.0
    snap: float = 4.0
    shortest: float = 10.0
    hop: float = 0.0
    is_one_to_one: bool = False
    occupied: int = 4
    counts_unmatched: bool = False
    is_harmonic: bool = True
    margins: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    sources: int = 400
    has_rings: bool = True
    smallest: float = 0.0


@dataclass(frozen=True)
class TopoRules:
    """Rules of TOPO (Biagioni and Eriksson 2012, Transportation Research Record 2291).

    Attributes:
        radius: distance along the network up to which points are reached, metres.
        spacing: of the points, metres.
        tolerance: largest distance of matching points, and of a start point from the other network, metres.
        angle: largest angle between the roads of matching points, degrees.
        start_angle: largest angle between the roads of a start point and its counterpart, degrees.
        start_spacing: of start points along the truth, metres; 0: every point of both networks is one.
        truth_capacity: points of the result that one point of the truth may match, for precision.
        is_pooled: whether points are summed over the start points. Otherwise precision and recall are means over the
            start points with a counterpart, and recall is multiplied by the share of those.
        rival_distance: of start points whose counterparts are closer than this along the result only the best counts,
            unless its precision is at least 0.9, metres; 0: all count.
        sources: largest number of start points; of more, so many are drawn.
    """

    radius: float = 300.0
    spacing: float = 10.0
    tolerance: float = 8.0
    angle: float = 90.0
    start_angle: float = 90.0
    start_spacing: float = 0.0
    truth_capacity: int = 1
    is_pooled: bool = True
    rival_distance: float = 0.0
    sources: int = 400


@dataclass(frozen=True)
class Definition:
    """How networks are compared.

    Attributes:
        apls: rules of APLS.
        topo: rules of TOPO; None where the implementation's result is random.
        nodes_crossings: whether lines that cross without a shared vertex meet in a node.
    """

    apls: AplsRules = AplsRules()
    topo: TopoRules | None = TopoRules()
    nodes_crossings: bool = True


_SAT2GRAPH_APLS = AplsRules(
    undivided=74.0,
    snap=10.0,
    shortest=100.0,
    hop=2.0,
    is_one_to_one=True,
    counts_unmatched=True,
    is_harmonic=False,
    margins=(100.0, 100.0, 100.0, 100.0),
    sources=5000,
)
_SAT2GRAPH_TOPO = TopoRules(
    radius=300.0 * _E5,
    spacing=5.0 * _E5,
    tolerance=10.0 * _E5,
    angle=44.77,
    start_angle=16.26,
    start_spacing=50.0 * _E5,
    truth_capacity=2,
    is_pooled=False,
    rival_distance=20.0 * _E5,
    sources=5000,
)
#: The definitions by name, after CosmiQ/apls (with points every 50 m as in the paper, and with what its graph of a
#: GeoJSON file lacks), songtaohe/Sat2Graph (tiles of 2 km) and htcr/sam_road (the settings for SpaceNet's tiles of
#: 352 m).
DEFINITIONS = {
    "terraspore": Definition(),
    "cosmiq": Definition(
        AplsRules(undivided=37.5, shortest=0.001, is_one_to_one=True, sources=5000, has_rings=False, smallest=5.0),
        None,
        nodes_crossings=False,
    ),
    "sat2graph": Definition(_SAT2GRAPH_APLS, _SAT2GRAPH_TOPO, nodes_crossings=False),
    "sam_road": Definition(
        replace(
            _SAT2GRAPH_APLS, spacing=20.0, undivided=30.0, shortest=30.0, occupied=3, margins=(30.0, 30.0, 30.0, 30.0)
        ),
        replace(_SAT2GRAPH_TOPO, radius=150.0 * _E5),
        nodes_crossings=False,
    ),
}

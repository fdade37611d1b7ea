"""Write the report of ``make bench``: tables with each aim and its measurement, and a plot.

python tests/bench/report.py            # print it and rewrite the generated part of docs/performance.md
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from rows import FOLDER, Row, read_rows

DOCS = Path(__file__).resolve().parents[2] / "docs"
PLOT = DOCS / "images" / "performance.png"
BEGIN, END = "<!-- results of make bench -->", "<!-- end of the results of make bench -->"
TITLES = {
    "first": "The first clicks after a set-up",
    "startup": "From the start of the process to the first tile",
    "cancel": "From a cancel to the end of the process",
    "whole": "Whole commands",
    "memory": "Peak memory against the raster's height",
    "cluster": "Roads of a mosaic by the workers of a Dask scheduler, small road model",
    "country": "What a country takes, from blocks of it",
    "many": "A mosaic of many small images",
    "models": "The default road model against D-LinkNet34",
    "runtimes": "Runtimes against each other",
    "vectors": "Vectors",
    "join": "Joining partitions of a road network",
    "training": "Training, 4 images of 256 x 256 a step, float32",
    "finetune": "Further training on few images of one place",
}
#: Parts whose rows without an aim are a line for each name, with a column for each unit.
MATRICES = ("training",)
AIM_LINES = {"dlinknet34": (1.05, "#1f77b4"), "lednet": (1.3, "#2ca02c"), "trivial": (1.5, "#7f7f7f")}
Rows = Sequence[Row]


def report(*, update_docs: bool) -> str:
    """Return the report of the results in ``out/bench`` as Markdown.

    Args:
        update_docs: also rewrite the generated part of docs/performance.md and its plot.
    """
    parts = {part: rows for part in TITLES if (rows := read_rows(part))}
    machine = json.loads((FOLDER / "machine.json").read_text(encoding="utf-8"))
    text = "\n\n".join([_machine_text(machine), *(_section(part, rows) for part, rows in parts.items())])
    missed = [row.name for rows in parts.values() for row in rows if row.met is False]
    judged = sum(row.met is not None for rows in parts.values() for row in rows)
    text += f"\n\nAims met: {judged - len(missed)} of {judged}.\n"
    if update_docs:
        _draw([row for rows in parts.values() for row in rows], PLOT)
        _rewrite(DOCS / "performance.md", text)
    return text


def _machine_text(machine: Mapping[str, Any]) -> str:
    return (
        f"Measured on {machine['processor']}, {machine['cores']} cores, {machine['memory']} of memory; "
        f"{machine['system']}; {machine['libraries']}. Image: {machine['image']}, repeated at 1 m."
    )


def _section(part: str, rows: Rows) -> str:
    plain = [row for row in rows if row.goal is None] if part in MATRICES else []
    others = [row for row in rows if row not in plain]
    tables = [*([_matrix(plain)] if plain else []), *([_table(others)] if others else [])]
    return "\n\n".join([f"### {TITLES[part]}", *tables])


def _matrix(rows: Rows) -> str:
    units = list(dict.fromkeys(row.unit for row in rows))
    values: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows:
        values[row.name][row.unit] = _number(row.measured)
    lines = [f"| | {' | '.join(units)} |", "|---" * (len(units) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(found.get(unit, '') for unit in units)} |" for name, found in values.items()]
    return "\n".join(lines)


def _table(rows: Rows) -> str:
    lines = ["| what | aim | measured | met | remark |", "|---|---|---|---|---|"]
    for row in rows:
        goal = "" if row.goal is None else f"{'at least ' if row.at_least else ''}{_number(row.goal)} {row.unit}"
        met = "" if row.met is None else "yes" if row.met else "**no**"
        lines.append(f"| {row.name} | {goal} | {_number(row.measured)} {row.unit} | {met} | {row.note} |")
    return "\n".join(lines)


def _number(value: float) -> str:
    """Format a number with three significant digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _draw(rows: Rows, path: Path) -> None:
    """Plot ratios by size on the left, peak memory by pixels on the right."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    series: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        if row.series:
            series[row.series].append((row.x, row.measured))
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for name, points in series.items():
        axis = right if name.startswith("memory: ") else left
        label = name.removeprefix("memory: ")
        axis.plot(*zip(*sorted(points), strict=True), marker="o", label=label)
    for name, (aim, colour) in AIM_LINES.items():
        left.axhline(aim, color=colour, linestyle=":", linewidth=1)
        left.annotate(f"aim {name}", (1, aim), xycoords=("axes fraction", "data"), fontsize=7, ha="right", va="bottom")
    left.set(xscale="log", yscale="log", xlabel="side of the raster, pixels", title="Whole command / bare loop")
    right.set(xlabel="side or height of the raster, pixels", ylabel="MB", title="Peak memory", ylim=(0, None))
    for axis in (left, right):
        axis.grid(alpha=0.3)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _rewrite(page: Path, text: str) -> None:
    """Replace the text between the markers of ``page`` by the plot and ``text``."""
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    plot = "![Ratios and peak memory by the size of the raster](images/performance.png)"
    page.write_text(f"{before}{BEGIN}\n\n{plot}\n\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    print(report(update_docs=True))

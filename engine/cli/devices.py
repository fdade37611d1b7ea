"""``terraspore devices``: what is in the machine, what of it works, how fast it is, and what ``auto`` takes."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from ..context import RunContext
from ..protocol.messages import Result
from ..runtimes.probe import TILE, ProbeResult, choose_default, probe_devices
from ..runtimes.registry import create_runtimes
from .cli_context import json_option, run_reported
from .console import table


@click.command()
@click.option("--threads", type=click.IntRange(1), help="Processor threads; all cores unless given.")
@json_option
def devices(threads: int | None, as_json: bool) -> None:
    """Try every device of every runtime with a small network, and say which one auto takes and why."""

    def work(_context: RunContext) -> Result:
        """List the devices."""
        begin = time.perf_counter()
        runtimes = create_runtimes()
        outcomes = probe_devices(runtimes, threads)
        best = choose_default(outcomes)
        summary: dict[str, float | int | str | None] = {"auto": _name(best) if best else None}
        for outcome in outcomes:
            summary.update({f"{_name(outcome)}.{key}": value for key, value in _facts(outcome).items()})
        return Result(
            outputs={},
            summary=summary,
            seconds=time.perf_counter() - begin,
            text=f"{_listing(outcomes)}\n\n{choice(outcomes, best)}",
        )

    run_reported(as_json, work)


def _name(outcome: ProbeResult) -> str:
    return f"{outcome.info.runtime} on {outcome.info.device}"


def _facts(outcome: ProbeResult) -> dict[str, float | int | str | None]:
    return {
        "hardware": outcome.info.title,
        "works": int(outcome.works),
        "precision": outcome.precision or None,
        "milliseconds": None if outcome.seconds is None else round(outcome.seconds * 1000, 2),
        "reason": outcome.info.reason or None,
    }


def _listing(outcomes: Sequence[ProbeResult]) -> str:
    headings = ("runtime", "device", "works", "precision", "ms", "hardware", "reason")
    rows = [
        (
            outcome.info.runtime,
            outcome.info.device,
            "yes" if outcome.works else "no",
            outcome.precision or "-",
            "-" if outcome.seconds is None else f"{outcome.seconds * 1000:.1f}",
            outcome.info.title,
            outcome.info.reason,
        )
        for outcome in outcomes
    ]
    return table(headings, rows) + f"\n(ms: for one tile of {TILE} x {TILE} pixels of a small network)"


def choice(outcomes: Sequence[ProbeResult], best: ProbeResult | None) -> str:
    """One sentence on what ``auto`` takes and why."""
    if best is None:
        return "Nothing works, so auto takes nothing."
    others = [f"{outcome.seconds * 1000:.1f} ms in {_name(outcome)}" for outcome in outcomes if outcome.seconds]
    return (
        f"auto takes {_name(best)} in {best.precision}: of what works here, it is the first in the known order of "
        f"speed (the small network takes {', '.join(others)})."
    )

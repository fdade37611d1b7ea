"""``terraspore devices``: devices of all runtimes, which work, how fast they are, and the choice of ``auto``."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ..concurrency import limit_threads
from ..context import RunContext
from ..protocol.messages import Result, SummaryValue
from ..runtimes.probe import TILE, ProbeResult, choose_default, probe_devices
from ..runtimes.registry import create_runtimes
from .cli_context import reports_result
from .console import format_table


@click.command()
@click.option("--threads", type=click.IntRange(1), help="Processor threads; all cores unless given.")
@reports_result
def devices(context: RunContext, threads: int | None) -> Result:
    """Try every device of every runtime with a small network, and say which one auto takes and why."""
    results = probe_devices(create_runtimes(), limit_threads(threads, context))
    best = choose_default(results)
    summary: dict[str, SummaryValue] = {"auto": _device_name(best) if best else None}
    for result in results:
        facts: dict[str, SummaryValue] = {
            "hardware": result.info.title,
            "works": int(result.works),
            "precision": result.precision or None,
            "milliseconds": None if result.seconds is None else round(result.seconds * 1000, 2),
            "reason": result.info.reason or None,
        }
        summary.update({f"{_device_name(result)}.{key}": value for key, value in facts.items()})
    return Result({}, summary, f"{_format_listing(results)}\n\n{describe_choice(results, best)}")


def _device_name(result: ProbeResult) -> str:
    return f"{result.info.runtime} on {result.info.device}"


def _format_listing(results: Sequence[ProbeResult]) -> str:
    headings = ("runtime", "device", "works", "precision", "ms", "hardware", "reason")
    rows = [
        (
            result.info.runtime,
            result.info.device,
            "yes" if result.works else "no",
            result.precision or "-",
            "-" if result.seconds is None else f"{result.seconds * 1000:.1f}",
            result.info.title,
            result.info.reason,
        )
        for result in results
    ]
    return format_table(headings, rows) + f"\n(ms: for one tile of {TILE} x {TILE} pixels of a small network)"


def describe_choice(results: Sequence[ProbeResult], best: ProbeResult | None) -> str:
    """Describe in one sentence which device ``auto`` takes and why."""
    if best is None:
        return "No usable device was found."
    others = [f"{result.seconds * 1000:.1f} ms in {_device_name(result)}" for result in results if result.seconds]
    return (
        f"auto takes {_device_name(best)} in {best.precision}: of the devices that work here, it is the first in the "
        f"known order of speed (the small network takes {', '.join(others)})."
    )

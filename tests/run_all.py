"""Run every test: groups of files as processes, two at a time, with all failures told at the end.

    python tests/run_all.py [--jobs N] [GROUP ...]

Groups are processes of their own because MindSpore keeps its mode and device, and QGIS its widgets, for a whole
process; two run side by side because most tests keep one core busy. A group's output is printed when it is finished.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
QGIS = ROOT / ".venv-qgis"
#: MindSpore's graph mode; what trains uses the other one.
GRAPHS = ("tests/engine/mindir", "tests/training/networks", "tests/training/export", "tests/training/weights")
#: Groups that trace the commands as processes; each takes long enough to be a group.
ALONE = ("tests/faults", "tests/recorded", "tests/engine/vector", "tests/engine/runtimes", "tests/engine/pipeline")


@dataclass(frozen=True)
class Group:
    """Tests that share a process.

    Attributes:
        name: what ``run_all.py NAME`` takes.
        command: the process.
        environment: variables added to those of this process.
    """

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a group ended."""

    group: Group
    returncode: int
    seconds: float
    output: str


def pytest_group(name: str, *arguments: str) -> Group:
    """A group that runs in this Python."""
    return Group(name, (sys.executable, "-m", "pytest", *arguments))


def all_groups() -> list[Group]:
    """The groups, those that take longest first, so that the last ones to end are short."""
    ignored = (f"--ignore={path}" for path in ("tests/training", "tests/plugin", "tests/engine/mindir", *ALONE))
    trainer = [f"--ignore={path}" for path in GRAPHS if path.startswith("tests/training")]
    groups = [
        pytest_group("training", "tests/training", *trainer, "--ignore=tests/training/test_commands.py"),
        *(pytest_group(path.removeprefix("tests/").replace("/", "-"), path) for path in ALONE),
        pytest_group("graphs", *GRAPHS),
        pytest_group("training-commands", "tests/training/test_commands.py"),
        pytest_group("rest", "tests", *ignored),
    ]
    if not (QGIS / ".ready").exists():
        print("QGIS is not set up here: the plugin's tests are left out (see the sentence of make qgis-setup).")
        return groups
    environment = {"PYTHONPATH": str(QGIS / "plugins")}
    python = str(QGIS / "bin" / "python")
    for path in sorted((ROOT / "tests" / "plugin").glob("test_*.py")):
        name = f"plugin-{path.stem.removeprefix('test_')}"
        groups.append(Group(name, (python, "-m", "pytest", str(path.relative_to(ROOT))), environment))
    return groups


def run_group(group: Group) -> Outcome:
    """Run a group to its end."""
    start = time.monotonic()
    done = subprocess.run(
        group.command,
        cwd=ROOT,
        env={**os.environ, **group.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return Outcome(group, done.returncode, time.monotonic() - start, done.stdout)


def main() -> int:
    """Run the groups that are named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help="names of groups; all unless given")
    parser.add_argument("--jobs", type=int, default=2, help="groups that run at the same time")
    arguments = parser.parse_args()
    groups = all_groups()
    unknown = set(arguments.groups) - {group.name for group in groups}
    if unknown:
        parser.error(f"no group is called {', '.join(sorted(unknown))}; there are: {', '.join(g.name for g in groups)}")
    chosen = [group for group in groups if not arguments.groups or group.name in arguments.groups]
    outcomes = []
    with ThreadPoolExecutor(max(arguments.jobs, 1)) as pool:
        for future in as_completed([pool.submit(run_group, group) for group in chosen]):
            outcome = future.result()
            outcomes.append(outcome)
            print(f"---- {outcome.group.name}\n{outcome.output}", flush=True)
    failed = [outcome for outcome in outcomes if outcome.returncode != 0]
    for outcome in sorted(outcomes, key=lambda outcome: -outcome.seconds):
        state = "passed" if outcome.returncode == 0 else f"FAILED ({outcome.returncode})"
        print(f"{outcome.seconds:7.1f} s  {outcome.group.name:24} {state}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

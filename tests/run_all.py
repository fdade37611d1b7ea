"""Run every test, in groups that are processes, and report all failures at the end.

    python tests/run_all.py [--jobs N] [--chroot FOLDER] [GROUP ...]

Groups are processes because MindSpore keeps its mode and device, and QGIS its widgets, for a whole process. One group
more than there are cores runs at a time, because most tests keep one core busy and some wait for other processes; those
that take longest start first. The output of a group is printed when it has finished.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
QGIS, QT6 = ".venv-qgis", ".venv-qt6"
#: Groups that run at a time at most, unless told otherwise; training takes most memory.
MAX_JOBS = 4
#: Name -> paths. A group leaves out what is in others.
PATHS = {
    "training": ("tests/training",),
    "faults": ("tests/faults",),
    "recorded": ("tests/recorded",),
    "engine-vector": ("tests/engine/vector",),
    "engine-runtimes": ("tests/engine/runtimes",),
    "engine-pipeline": ("tests/engine/pipeline",),
    # MindSpore's graph mode; training uses the other one.
    "graphs": ("tests/engine/mindir", "tests/training/networks", "tests/training/export", "tests/training/weights"),
    "training-commands": ("tests/training/test_commands.py",),
    "reports": ("tests/reports",),
    "rest": ("tests",),
}
#: Seconds of processor time of the groups that take longest, about, here or in a chroot. They start in this order, so
#: that no long one is left to end alone.
SECONDS = {
    "training": 330,
    "engine": 310,
    "rest": 250,
    "engine-vector": 200,
    "graphs": 140,
    "faults": 120,
    "plugin-desktop": 110,
    "recorded": 100,
    "engine-pipeline": 90,
    "training-commands": 80,
    "reports": 70,
    "lint": 60,
    "engine-runtimes": 60,
    "plugin-environment": 40,
    "plugin-structure": 30,
    "plugin-processing": 30,
    "plugin-models": 20,
    "plugin-welcome": 20,
    "plugin-many_images": 18,
    "plugin-process": 15,
}


@dataclass(frozen=True)
class Group:
    """Tests that share a process.

    Attributes:
        name: argument of ``run_all.py``.
        command: the process.
    """

    name: str
    command: tuple[str, ...]


LINT = Group("lint", ("make", "--silent", "lint"))


def make_groups(chroot: Path | None) -> list[Group]:
    """Return all groups: without those of the plugin where QGIS, of training where MindSpore is not installed."""
    groups = []
    has_mindspore = importlib.util.find_spec("mindspore") is not None
    if not has_mindspore:
        version = ".".join(map(str, sys.version_info[:2]))
        print(f"MindSpore is not installed (it needs Python 3.10 to 3.12, this is {version}): no tests of training.")
    for name, paths in PATHS.items():
        chosen = [path for path in paths if has_mindspore or not path.startswith("tests/training")]
        if not chosen:
            continue
        others = ["tests/plugin", *(path for other, paths in PATHS.items() if other != name for path in paths)]
        inside = [path for path in others if path.startswith(tuple(f"{own}/" for own in paths))]
        ignored = (f"--ignore={path}" for path in inside)
        groups.append(Group(name, (sys.executable, "-m", "pytest", *chosen, *ignored)))
    if (ROOT / QGIS / ".ready").exists():
        groups += make_plugin_groups(ROOT)
    else:
        print("QGIS is not set up here, so the plugin's tests are left out (make qgis-setup reports the reason).")
    if (ROOT / QT6 / ".ready").exists():
        paths = f"{ROOT / 'tests' / 'plugin' / 'qt6' / 'stand_ins'}:{ROOT / QT6 / 'plugins'}"
        command = ("env", f"PYTHONPATH={paths}", str(ROOT / QT6 / "bin" / "python"), "-m", "pytest")
        groups.append(Group("plugin-qt6", (*command, "tests/plugin/qt6")))
    else:
        print("PyQt6 is not set up here, so the plugin is not tested on Qt 6 (make qt6-setup reports the reason).")
    if chroot is not None and (chroot / ".ready").exists():
        groups += make_chroot_groups(chroot)
    if shutil.which("make"):
        groups.append(LINT)
    return sorted(groups, key=estimate_seconds, reverse=True)


def estimate_seconds(group: Group) -> int:
    """Return the processor time of a group as ``SECONDS`` has it; 0 for a short one."""
    return SECONDS.get(group.name) or SECONDS.get(group.name.partition("-")[2], 0)


def make_plugin_groups(root: Path) -> list[Group]:
    """Return a group for each file of the plugin's tests in the checkout ``root``, because QGIS is for one process."""
    command = ("env", f"PYTHONPATH={root / QGIS / 'plugins'}", str(root / QGIS / "bin" / "python"), "-m", "pytest")
    paths = sorted(path.relative_to(ROOT) for path in (ROOT / "tests" / "plugin").glob("test_*.py"))
    return [Group(f"plugin-{path.stem.removeprefix('test_')}", (*command, str(path))) for path in paths]


def make_chroot_groups(chroot: Path) -> list[Group]:
    """Return the groups of engine, types and plugin with the QGIS and the Python of a chroot of ``make-chroot.sh``."""
    root = Path("/terraspore")  # the checkout, as enter-chroot.sh mounts it
    # Without slow tests that depend less on Python, NumPy and QGIS than on Dask and on the formats of models.
    ignored = ("--ignore=tests/engine/cluster", "--ignore=tests/engine/models/test_mutations.py")
    python = str(root / ".venv" / "bin" / "python")
    engine = Group("engine", (python, "-m", "pytest", "tests/engine", *ignored))
    enter = ("sh", "resources/setup/enter-chroot.sh", str(chroot))
    inside = [engine, LINT, *make_plugin_groups(root)]  # types differ by the version of NumPy
    return [Group(f"{chroot.name}-{group.name}", (*enter, *group.command)) for group in inside]


def run_group(group: Group) -> tuple[bool, str, str]:
    """Run a group to its end; return whether it passed, its line of the summary, and its output."""
    start = time.monotonic()
    done = subprocess.run(
        group.command,
        cwd=ROOT,
        env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ},  # threads that wait leave the core to another group
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    seconds, passed = time.monotonic() - start, done.returncode == 0
    summary = f"{seconds:7.1f} s  {group.name:32} {'passed' if passed else f'FAILED ({done.returncode})'}"
    return passed, summary, f"---- {group.name}\n{done.stdout}"


def main() -> int:
    """Run the named groups, or all; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help="names of groups; all unless given")
    jobs = min((os.cpu_count() or 1) + 1, MAX_JOBS)
    parser.add_argument("--jobs", type=int, default=jobs, help="groups that run at the same time")
    parser.add_argument("--chroot", type=Path, metavar="FOLDER", help="run the tests in this chroot, too")
    arguments = parser.parse_args()
    groups = {group.name: group for group in make_groups(arguments.chroot)}
    if unknown := set(arguments.groups) - set(groups):
        parser.error(f"no group is called {', '.join(sorted(unknown))}; there are: {', '.join(groups)}")
    with ThreadPoolExecutor(max(arguments.jobs, 1)) as pool:
        chosen = [group for name, group in groups.items() if name in arguments.groups or not arguments.groups]
        results = []
        for future in as_completed([pool.submit(run_group, group) for group in chosen]):
            results.append(future.result())
            print(results[-1][2], flush=True)
    print("\n".join(sorted((summary for _, summary, _ in results), reverse=True)))
    return 0 if all(passed for passed, _, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main())

"""The workflows of GitHub Actions, which are not run here: their syntax, and what their steps name, exists."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

tomllib = pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")  # pytest needs it

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
JOBS = {
    f"{path.stem}-{name}": job
    for path in WORKFLOWS
    for name, job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].items()
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def scripts(job):
    return "\n".join(step["run"] for step in job["steps"] if "run" in step)


@pytest.mark.parametrize("name", JOBS)
def test_every_job_is_complete(name):
    job = JOBS[name]
    assert set(job) <= {"name", "strategy", "runs-on", "container", "timeout-minutes", "defaults", "env", "steps"}
    assert job["timeout-minutes"] <= 90
    matrix = job.get("strategy", {}).get("matrix", {})
    for used in re.findall(r"matrix\.(\w+)", f"{job['name']} {job['runs-on']} {job.get('container')} {job['steps']}"):
        assert used in matrix
    for step in job["steps"]:
        assert len({"run", "uses"} & set(step)) == 1
        assert re.fullmatch(r"(actions/[a-z-]+|astral-sh/setup-uv)@v\d+", step.get("uses", "actions/checkout@v4"))


@pytest.mark.parametrize("name", JOBS)
def test_steps_name_files_targets_groups_and_extras_that_exist(name):
    from run_all import PATHS

    script = scripts(JOBS[name])
    for path in re.findall(r"(?:tests|tools|docs)/[\w./]+\.py", script):
        assert (ROOT / path).is_file(), path
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for line in re.findall(r"(?m)^\s*make ([\w -]+)$", script):
        assert set(line.split()) <= targets, line
    for line in re.findall(r"tests/run_all\.py ([\w -]+)$", script, re.MULTILINE):
        assert set(line.split()) <= set(PATHS), line
    for extras in re.findall(r"\.\[([\w,]+)\]", script):
        assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


def test_the_matrix_covers_systems_pythons_and_versions_of_qgis():
    for name, pythons in (("lint", None), ("engine", ["3.10", "3.12", "3.14"]), ("training", ["3.10", "3.12"])):
        matrix = JOBS[f"tests-{name}"]["strategy"]["matrix"]
        assert matrix["os"] == ["ubuntu-latest", "windows-latest", "macos-latest"]
        assert matrix.get("python") == pythons
    assert JOBS["tests-plugin"]["strategy"]["matrix"]["qgis"] == [
        "release-3_22",
        "release-3_34",
        "release-3_40",
        "latest",
    ]
    assert PROJECT["requires-python"] == ">=3.10,<3.15"
    assert "osgeo4w" in scripts(JOBS["tests-plugin-windows"])
    assert any(step.get("uses", "").startswith("actions/upload-artifact") for step in JOBS["tests-zip"]["steps"])


def test_every_group_of_tests_is_run_by_a_job():
    from run_all import PATHS

    named = re.findall(r"tests/run_all\.py ([\w -]+)$", "\n".join(map(scripts, JOBS.values())), re.MULTILINE)
    assert {group for line in named for group in line.split()} == set(PATHS)


def test_groups_that_take_longest_start_first(tmp_path):
    from run_all import PATHS, SECONDS, estimate_seconds, make_groups

    (tmp_path / ".ready").touch()  # a chroot
    plugin = {f"plugin-{path.stem.removeprefix('test_')}" for path in (ROOT / "tests" / "plugin").glob("test_*.py")}
    assert set(SECONDS) <= {"engine", "lint", *PATHS, *plugin}
    groups = make_groups(tmp_path)
    names, seconds = [group.name for group in groups], [estimate_seconds(group) for group in groups]
    assert seconds == sorted(seconds, reverse=True)
    assert estimate_seconds(groups[names.index(f"{tmp_path.name}-engine")]) == SECONDS["engine"]

"""The scripts that find a Python and make the environment, with interpreters of other versions on the path."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SETUP = ROOT / "resources" / "setup"
#: Runs this Python with the name of another version. Without venv there is no ensurepip unless the file ``venv`` stands
#: beside it; ``-m venv FOLDER`` writes down its arguments.
INTERPRETER = """#!/bin/sh
here=$(CDPATH= cd -- "${{0%/*}}" && pwd)
case $1 in
    --version) echo "Python {version}" ;;
    -c) exec "{python}" -c "import os, sys
sys.version_info = tuple(map(int, '{version}'.split('.')))
if {without_venv} and not os.path.exists('$here/venv'):
    sys.modules['ensurepip'] = None
$2" ;;
    *) echo "$0 $*" >> "$here/log" ;;
esac
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="scripts of make, for POSIX shells")


def add_command(folder: Path, name: str, text: str) -> Path:
    """Write an executable script."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def add_python(folder: Path, name: str, version: str, *, without_venv: bool = False) -> Path:
    """Write an interpreter that says that it has a version."""
    text = INTERPRETER.format(version=f"{version}.0", python=sys.executable, without_venv=without_venv)
    return add_command(folder, name, text)


def run_script(name: str, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a script with ``home / "bin"`` as the whole path."""
    (home / "bin").mkdir(parents=True, exist_ok=True)
    environment = {"PATH": str(home / "bin"), "HOME": str(home)}
    command = ["/bin/sh", str(SETUP / name), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def find_python(home: Path) -> str:
    """Return what ``find-python.sh`` prints."""
    done = run_script("find-python.sh", home=home)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (("3.10", "3.11", "3.12", "3.13"), "python3.11"),
        (("3.10", "3.12"), "python3.12"),
        (("3.10", "3.13", "3.14"), "python3.10"),  # the only one of MindSpore's
        (("3.13", "3.14"), "python3.13"),
        (("3.9", "3.14", "3.15"), "python3.14"),
        (("3.9", "3.15"), "python3"),  # which make-venv.sh refuses
        ((), "python3"),
    ],
)
def test_the_python_of_the_best_version_is_found(tmp_path: Path, versions: tuple[str, ...], expected: str) -> None:
    for version in versions:
        add_python(tmp_path / "bin", f"python{version}", version)
    assert find_python(tmp_path) == expected


def test_an_interpreter_is_judged_by_its_version_and_not_by_its_name(tmp_path: Path) -> None:
    """A shim that does not run, a name of another version, and a plain python3 that fits."""
    add_command(
        tmp_path / "bin", "python3.11", "#!/bin/sh\necho 'pyenv: python3.11: command not found' >&2\nexit 127\n"
    )
    add_python(tmp_path / "bin", "python3.12", "3.13")
    add_python(tmp_path / "bin", "python3", "3.10")
    assert find_python(tmp_path) == "python3"


@pytest.mark.parametrize("folder", [".pyenv/versions/3.12.4/bin", ".local/share/uv/python/cpython-3.12.4-linux/bin"])
def test_a_fitting_python_of_pyenv_or_uv_comes_before_a_newer_one_on_the_path(tmp_path: Path, folder: str) -> None:
    home = tmp_path / "home of a person"
    add_python(home / "bin", "python3", "3.14")
    installed = add_python(home / folder, "python3", "3.12")
    assert find_python(home) == str(installed)


def test_an_environment_is_made_once(tmp_path: Path) -> None:
    add_python(tmp_path / "bin", "python3.11", "3.11")
    folder = tmp_path / "a folder"
    for _ in range(2):
        assert run_script("make-venv.sh", "python3.11", str(folder), home=tmp_path).returncode == 0
        log = (tmp_path / "bin" / "log").read_text(encoding="utf-8").splitlines()
        assert [line.partition(" ")[2] for line in log] == [f"-m venv {folder}"]
        add_command(folder / "bin", "python", "#!/bin/sh\n")  # what venv would have made


@pytest.mark.parametrize(("name", "version"), [("python3", "3.9"), ("python3", "3.15"), ("python9", "")])
def test_a_python_that_is_missing_or_of_another_version_is_refused(tmp_path: Path, name: str, version: str) -> None:
    if version:
        add_python(tmp_path / "bin", name, version)
    done = run_script("make-venv.sh", name, str(tmp_path / "venv"), home=tmp_path)
    assert done.returncode == 2
    expected = f"Python {version}.0 was found, but Python 3.10 to 3.14" if version else "python9 was not found. Install"
    assert expected in done.stderr
    assert "make PYTHON=python3.12" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_a_person_without_the_package_of_venv_is_told_its_name(tmp_path: Path) -> None:
    add_python(tmp_path / "bin", "python3", "3.12", without_venv=True)
    add_command(tmp_path / "bin", "id", "#!/bin/sh\necho 1000\n")
    done = run_script("make-venv.sh", "python3", str(tmp_path / "venv"), home=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Install it with: sudo apt-get install python3.12-venv" in done.stderr


def test_root_installs_the_package_of_venv(tmp_path: Path) -> None:
    commands = tmp_path / "bin"
    add_python(commands, "python3", "3.12", without_venv=True)
    add_command(commands, "id", "#!/bin/sh\necho 0\n")
    add_command(commands, "apt-get", f'#!/bin/sh\necho "$*" >> "{commands}/log"\n: > "{commands}/venv"\n')
    done = run_script("make-venv.sh", "python3", str(tmp_path / "venv"), home=tmp_path)
    assert done.returncode == 0, done.stderr
    log = (commands / "log").read_text(encoding="utf-8").splitlines()
    assert log[:2] == ["update -qq", "install -y -qq python3.12-venv"]
    assert log[2].endswith(f"-m venv {tmp_path / 'venv'}")

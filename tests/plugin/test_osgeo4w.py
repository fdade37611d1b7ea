"""A Python of OSGeo4W: it does not start, nor load ``ssl``, without the libraries of ``<root>/bin`` (simulated)."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from terraspore.plugin.engine.env_profiles import ENV_PROFILES, EnvProfile
from terraspore.plugin.engine.errors import make_exit_error
from terraspore.plugin.engine.install import EnvSpec, get_env_python, list_steps
from terraspore.plugin.engine.interpreters import (
    add_library_folder,
    find_interpreter,
    find_library_folder,
    make_path_line,
    probe_interpreter,
)

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/nowhere"}
PYTHONS = ENV_PROFILES[0].pythons
#: Makes ``ssl`` fail until its libraries are added, as Windows does. In the environments made from it, too.
BLOCK = """
import os, sys
class Loader:
    added = set()
    def find_spec(self, name, path=None, target=None):
        if name == "_ssl" and {folder!r} not in self.added:
            raise ImportError("DLL load failed while importing _ssl")
sys.meta_path.insert(0, Loader())
os.add_dll_directory = Loader.added.add
"""


@pytest.fixture
def root(tmp_path):
    """The folder of an OSGeo4W whose Python is the program ``apps/Python312/python.exe``."""
    root = tmp_path / "OSGeo4W"
    (root / "bin").mkdir(parents=True)
    (root / "apps" / "Python312").mkdir(parents=True)
    real = root / "apps" / "real"
    subprocess.run([sys.executable, "-I", "-m", "venv", "--without-pip", real], check=True)
    (packages,) = real.glob("lib/python*/site-packages")
    (packages / "block.pth").write_text("import block\n")
    (packages / "block.py").write_text(BLOCK.format(folder=str(root / "bin")))
    program = root / "apps" / "Python312" / "python.exe"
    program.write_text(
        f'#!/bin/sh\ncase ":$PATH:" in *":{root}/bin:"*) exec "{real}/bin/python" "$@";; esac\n'
        "echo python312.dll was not found >&2\nexit 53\n"
    )
    program.chmod(0o755)
    return root


def test_its_libraries_are_found_and_needed(root):
    program = root / "apps" / "Python312" / "python.exe"
    found = probe_interpreter(str(program), ENVIRONMENT)
    assert found.has_ssl
    assert found.library_folder == str(root / "bin")
    assert found.explain_unfit(PYTHONS) is None


def test_one_whose_libraries_are_gone_is_refused_with_the_reason(root):
    program = root / "apps" / "Python312" / "python.exe"
    (root / "apps" / "real" / "bin" / "python").rename(root / "apps" / "real" / "bin" / "away")
    found, why = find_interpreter(str(program), ENVIRONMENT, PYTHONS)
    assert found is None
    assert f"{program}: it does not start as a Python" in why


def test_other_pythons_need_no_folder():
    found = probe_interpreter(sys.executable, ENVIRONMENT)
    assert (found.library_folder, found.has_ssl) == ("", True)
    assert find_library_folder(Path(sys.executable)) is None
    assert add_library_folder(ENVIRONMENT, Path(sys.executable)) == ENVIRONMENT


def test_its_environment_knows_the_folder_before_pip_runs(root, tmp_path):
    base = probe_interpreter(str(root / "apps" / "Python312" / "python.exe"), ENVIRONMENT)
    folder = tmp_path / "environment"
    spec = EnvSpec(EnvProfile("tiny", "Tiny", (), (), 1, 1), folder, base, None, tmp_path, ENVIRONMENT)
    steps = list_steps(spec, folder)
    assert ["ensurepip" in step.command for step in steps] == [False, False, True, False]
    for step in steps[:2]:
        variables = add_library_folder(ENVIRONMENT, Path(step.command[0]))
        subprocess.run(step.command, check=True, env=variables, stdin=subprocess.DEVNULL)
    (line,) = folder.glob("lib/python*/site-packages/*.pth")
    code = f"import os; os.add_dll_directory = print; exec({line.read_text()!r})"
    done = subprocess.run([get_env_python(folder), "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(root / "bin")


def test_an_environment_leads_to_the_folder_of_its_base(root, tmp_path):
    scripts = tmp_path / "cpu" / "Scripts"
    scripts.mkdir(parents=True)
    (tmp_path / "cpu" / "pyvenv.cfg").write_text(f"home = {root / 'apps' / 'Python312'}\nversion = 3.12.4\n")
    variables = add_library_folder({"PATH": "/windows"}, scripts / "python.exe")
    assert variables["PATH"].split(os.pathsep) == [str(root / "bin"), "/windows"]


def test_the_line_holds_any_path_in_ascii(tmp_path):
    folder = tmp_path / "O'Brien Straße 道"
    line = make_path_line(folder)
    assert line.isascii()
    assert ast.literal_eval(line.partition("add_dll_directory(")[2].rpartition(")")[0]) == str(folder)


def test_an_environment_whose_python_was_removed_says_so():
    error = make_exit_error(103, "No Python at '\"C:\\Program Files\\QGIS 3.40\\apps\\Python312\\python.exe'")
    assert "is gone" in error.text
    assert "Create it again" in error.hint

"""The plugin as QGIS sees it: the folder under the name ``terraspore`` on the path of QGIS's own Python.

These tests run under QGIS's Python (``make test-qgis``); under another one they are not collected.
"""

import base64
import contextlib
import dataclasses
import gc
import hashlib
import os
import stat
import subprocess
import sys
import threading
import traceback
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
#: Compiled kernels and models, kept between the files of tests: compiling takes half a minute each time.
CACHE = ROOT / ".venv-qgis" / "cache"
#: A Python with the engine's packages; QGIS's own has none of them.
ENGINE_PYTHON = ROOT / ".venv" / "bin" / "python"
#: Variables of the commands that make an environment.
ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}

try:
    import qgis.core  # noqa: F401
except ImportError:
    collect_ignore_glob = ["test_*.py"]

sys.path.insert(0, str(HERE))


@pytest.fixture(scope="session", autouse=True)
def no_user_settings(tmp_path_factory):
    """Hide the user's profile, environments and variables."""
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith("TERRASPORE_")]:
        del os.environ[name]
    os.environ.update(
        XDG_DATA_HOME=str(home / "data"),
        XDG_CONFIG_HOME=str(home / "config"),
        XDG_RUNTIME_DIR=str(home),
        QGIS_CUSTOM_CONFIG_PATH=str(home / "profile"),
        QT_QPA_PLATFORM="offscreen",
    )
    home.chmod(0o700)
    return home


@pytest.fixture(scope="session", autouse=True)
def shared_kernels():
    """Let the plugin's engine use the kernels that the engine's tests have compiled, and the other way round."""
    kernels = ROOT / ".venv" / "kernels"
    for folder in (kernels, CACHE):
        folder.mkdir(exist_ok=True)
    with contextlib.suppress(FileExistsError):
        (CACHE / "kernels").symlink_to(kernels)


@pytest.fixture(scope="session")
def qgis_app(no_user_settings):
    """A QGIS without a window, with Processing."""
    from qgis.core import QgsApplication

    application = QgsApplication([], True)
    application.initQgis()
    sys.path.append(str(Path(QgsApplication.pkgDataPath()) / "python" / "plugins"))
    from processing.core.Processing import Processing

    Processing.initialize()
    return application  # no exitQgis(): 3.22 crashes in it when Python's objects have not gone first


@pytest.fixture(autouse=True)
def no_errors_in_slots(monkeypatch):
    """Fail a test for an exception in a slot, which would else end the process silently.

    Widgets that were closed go at the end of the test and in this thread. Without an event loop Qt would keep them, and
    Python's collector would take them at any time and in any thread, which ends the process too.
    """
    errors = []
    monkeypatch.setattr(sys, "excepthook", lambda *error: errors.append("".join(traceback.format_exception(*error))))
    yield
    from qgis.PyQt.QtCore import QCoreApplication, QEvent

    if QCoreApplication.instance() is not None:
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.collect()
    assert errors == []


@pytest.fixture(scope="session")
def inputs(tmp_path_factory):
    """Folder with ``image.tif``, ``models/`` and ``more/``."""
    folder = tmp_path_factory.mktemp("inputs")
    command = [str(ENGINE_PYTHON), "-I", str(HERE / "make_inputs.py"), str(folder)]
    subprocess.run(command, check=True)
    return folder


@pytest.fixture
def settings(inputs, monkeypatch):
    """Settings of a person who chose an existing interpreter; further ones by name."""

    def use(**values):
        for name, value in values.items():
            monkeypatch.setenv(f"TERRASPORE_{name.upper()}", str(value))

    use(interpreter=ENGINE_PYTHON, models_folder=inputs / "models", cache_folder=CACHE)
    use(road_model="bright-is-road", landcover_model="two-classes")
    return use


@pytest.fixture
def fake_python(tmp_path):
    """A program that stands in for the engine's interpreter and starts the fake engine."""
    return write_program(tmp_path / "fake-python", f'"{sys.executable}" "{HERE / "fake_engine.py"}"')


@pytest.fixture
def held_python(tmp_path_factory):
    """A program that stands in for the engine's interpreter and stops a run at a known point (held_engine.py)."""
    command = f'"{ENGINE_PYTHON}" -I -X utf8 "{HERE / "held_engine.py"}" "$@"'
    return write_program(tmp_path_factory.mktemp("held") / "held-python", command)


def write_program(path, command):
    path.write_text(f"#!/bin/sh\nexec {command}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture(scope="module")
def plugin(qgis_app):
    """The plugin without a window, with its provider registered; its engine stays loaded for a module's tests."""
    from terraspore.plugin import make_plugin

    made = make_plugin(None)
    made.initProcessing()
    yield made
    made.unload()


@pytest.fixture
def run(plugin, settings):
    """Runs algorithms with the settings of the tests."""
    from toolbox import run_algorithm

    return run_algorithm


def write_wheel(folder, name="probe", version="1.0"):
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": b"ANSWER = 42\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(data)}\n"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
        archive.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return folder


@pytest.fixture(scope="session")
def base():
    from terraspore.plugin.engine.env_profiles import ENV_PROFILES
    from terraspore.plugin.engine.interpreters import find_interpreter

    found, why = find_interpreter("", ENVIRONMENT, ENV_PROFILES[0].pythons)
    assert found is not None, why
    return found


@pytest.fixture(scope="session")
def empty_environment(base, tmp_path_factory):
    """A virtual environment with pip alone."""
    folder = tmp_path_factory.mktemp("empty")
    subprocess.run([base.path, "-I", "-m", "venv", str(folder)], check=True)
    return folder


@pytest.fixture
def copied_environment(empty_environment, monkeypatch):
    """Let a set-up begin with a copy of an empty environment, because ``venv`` takes seconds."""
    from terraspore.plugin.engine import install

    list_steps, copy = (
        install.list_steps,
        "import shutil, sys; shutil.copytree(*sys.argv[1:], True, dirs_exist_ok=True)",
    )

    def list_with_copy(spec, folder):
        first, *others = list_steps(spec, folder)
        command = (sys.executable, "-c", copy, str(empty_environment), str(folder))
        return [dataclasses.replace(first, command=command), *others]

    monkeypatch.setattr(install, "list_steps", list_with_copy)


@pytest.fixture
def make_spec(tmp_path, base):
    """Specifies an environment of one small package; the engine is a script that uses it."""
    launcher = tmp_path / "launch.py"
    code = "import probe, sys\nprint('answer', probe.ANSWER)\nsys.exit(0 if sys.argv[1:] == ['devices'] else 1)\n"
    launcher.write_text(code)

    from terraspore.plugin.engine.env_profiles import EnvProfile
    from terraspore.plugin.engine.install import EnvSpec

    def make(*requirements, wheels=None, optional=()):
        profile = EnvProfile("tiny", "Tiny", requirements or ("probe>=1",), optional, 1, 1)
        folder = tmp_path / "environments" / "tiny"
        return EnvSpec(profile, folder, base, wheels or write_wheel(tmp_path / "wheels"), launcher, ENVIRONMENT)

    return make


@pytest.fixture
def index(tmp_path):
    """The address of a package index on loopback with one small package, and the paths that were asked for."""
    seen = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_args):
            seen.append(self.path)

    write_wheel(tmp_path / "simple" / "probe")
    handler = partial(Handler, directory=str(tmp_path))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/simple/", seen
    server.shutdown()
    server.server_close()

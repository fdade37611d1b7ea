"""Making environments from a folder of wheels, with packages made here: no network, no large download."""

import dataclasses
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import ENVIRONMENT
from event_loop import spin
from terraspore.plugin.engine import install, interpreters, preparation
from terraspore.plugin.engine.env_profiles import ENV_PROFILES
from terraspore.plugin.engine.environment import make_child_env, make_engine_env, make_installer_env
from terraspore.plugin.engine.errors import EngineCancelledError, EngineError
from terraspore.plugin.engine.install import (
    InstallObserver,
    create_environment,
    explain_pip_failure,
    get_env_python,
    remove_environment,
)
from terraspore.plugin.engine.interpreters import (
    Interpreter,
    find_interpreter,
    list_candidates,
    probe_interpreter,
)
from terraspore.plugin.settings import Settings
from windows_files import refuse_access

PYTHONS = ENV_PROFILES[0].pythons


class Log:
    def __init__(self, cancel_at=""):
        self.lines, self.shares, self.cancel_at = [], [], cancel_at

    def observer(self):
        return InstallObserver(
            self.lines.append, self.shares.append, lambda: self.cancel_at and self.cancel_at in self.lines
        )


def test_from_wheels_without_network(make_spec):
    log = Log()
    made = make_spec(optional=("not-there>=9",))
    python = create_environment(made, log.observer())
    assert python == get_env_python(made.target)
    assert probe_interpreter(str(python), ENVIRONMENT).prefix == str(made.target)
    assert "answer 42" in log.lines
    assert any("everything works without it" in line for line in log.lines)
    assert log.shares == sorted(log.shares)
    assert log.shares[-1] == 1.0
    assert "answer 42" in made.target.with_name("tiny.log").read_text()
    remove_environment(made.target)
    assert list(made.target.parent.iterdir()) == []


@pytest.mark.usefixtures("copied_environment")
def test_progress_follows_the_megabytes_of_the_downloads(make_spec, monkeypatch):
    """The lines of pip before each download; small ones are in kB and do not count."""
    names = ("a.whl (1.0 MB)", "b-1.0.whl.metadata (12 kB)", "b.whl (2.5 MB)", "c.whl (9.0 MB)", "d.whl (9.0 MB)")
    code = "".join(f"print('  Downloading {name}');" for name in names)
    made, list_steps = make_spec(), install.list_steps
    step = install.InstallStep("Downloading", (sys.executable, "-c", code))
    monkeypatch.setattr(install, "list_steps", lambda *arguments: [step, *list_steps(*arguments)])
    log = Log()
    profile = dataclasses.replace(made.profile, download_megabytes=5)
    create_environment(dataclasses.replace(made, profile=profile), log.observer())
    assert log.shares == pytest.approx([0.0, 0.8 * 0.2, 0.8 * 0.7, 0.8, 0.95, 1.0])


@pytest.mark.usefixtures("copied_environment")
def test_from_a_package_index(make_spec, index):
    address, seen = index
    log = Log()
    create_environment(dataclasses.replace(make_spec(), wheels=None, index=address), log.observer())
    assert "answer 42" in log.lines
    assert "/simple/probe/" in seen
    assert any(path.endswith(".whl") for path in seen)


@pytest.mark.parametrize(
    ("cause", "sentence"),
    [
        (
            "NewConnectionError('<pip._vendor...>: [Errno 111] Connection refused')",
            "The package index cannot be reached",
        ),
        ("ProxyError('Cannot connect to proxy.')", "The proxy refused the connection"),
        ("SSLError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]')", "The connection's certificate is not trusted"),
        ("", "A package is not available for this Python and system"),
        (
            "HINT: This error might have occurred since this system does not have Windows Long Path support enabled.",
            "The path of the folder of environments is too long for Windows",
        ),
    ],
)
def test_cause_of_a_failed_download_comes_before_its_result(cause, sentence):
    """What pip 23 writes: warnings for each attempt, and at the end the same whatever the cause."""
    output = (
        f"WARNING: Retrying after connection broken by '{cause}'\nERROR: No matching distribution found for probe>=1"
    )
    assert explain_pip_failure(output).startswith(sentence)


def test_button_makes_the_environment_from_the_index(make_spec, index, plugin, settings, tmp_path, monkeypatch):
    from qgis.PyQt.QtCore import Qt
    from qgis.PyQt.QtTest import QTest
    from terraspore.plugin.options import engine_box
    from terraspore.plugin.options.page import OptionsPage
    from terraspore.plugin.settings import Settings, load_settings, save_settings

    tiny = make_spec()
    settings(interpreter="", environments=tmp_path / "environments", package_index=index[0])
    monkeypatch.setattr(preparation, "find_profile", lambda _name: tiny.profile)
    monkeypatch.setattr(preparation, "LAUNCHER", tiny.launcher)
    monkeypatch.setattr(engine_box.EngineBox, "_test", lambda *_: None)
    questions = []
    monkeypatch.setattr(engine_box.EngineBox, "_confirm", lambda _box, text: questions.append(text) or True)
    page = OptionsPage(plugin.context, None)
    page.performance.numbers["threads"].setValue(3)  # saved with OK alone
    QTest.mouseClick(page.engine.create, Qt.MouseButton.LeftButton)
    spin(lambda: page.engine._task is None)
    assert load_settings().threads == 0
    save_settings(Settings())
    assert index[0] in questions[0]
    assert "answer 42" in page.engine.log.toPlainText()
    assert get_env_python(tiny.target).is_file()


@pytest.mark.usefixtures("copied_environment")
def test_failure_leaves_the_old_environment_and_names_the_reason(make_spec, tmp_path):
    python = create_environment(make_spec(), Log().observer())
    with pytest.raises(EngineError, match="A package is not available for this Python and system") as caught:
        create_environment(make_spec("no-such-package"), Log().observer())
    assert "tiny.log" in str(caught.value)
    assert probe_interpreter(str(python), ENVIRONMENT) is not None
    assert sorted(path.name for path in (tmp_path / "environments").iterdir()) == ["tiny", "tiny.log"]


@pytest.mark.usefixtures("copied_environment")
def test_environment_in_which_the_engine_does_not_start_is_not_taken(make_spec, tmp_path):
    made = make_spec()
    made.launcher.write_text("import something_missing\n")
    with pytest.raises(EngineError, match="No module named 'something_missing'"):
        create_environment(made, Log().observer())
    assert not made.target.exists()


def test_cancel_leaves_nothing(make_spec, tmp_path):
    log = Log(cancel_at="Making an empty environment")
    with pytest.raises(EngineCancelledError):
        create_environment(make_spec(), log.observer())
    assert log.lines == ["Making an empty environment"]
    assert [path.name for path in (tmp_path / "environments").iterdir()] == ["tiny.log"]


@pytest.mark.usefixtures("copied_environment")
def test_a_second_set_up_or_removal_at_the_same_time_is_refused(make_spec):
    """From the options, the first click or another QGIS; it would remove what the first one is making."""
    made, refused = make_spec(), []

    def try_others(line):
        if line == "Checking the environment":
            for other in (lambda: create_environment(made, Log().observer()), lambda: remove_environment(made.target)):
                with pytest.raises(EngineError, match="is already being set up or removed") as caught:
                    other()
                refused.append(caught.value)

    create_environment(made, InstallObserver(try_others, lambda _share: None, lambda: False))
    assert len(refused) == 2
    assert sorted(path.name for path in made.target.parent.iterdir()) == ["tiny", "tiny.log"]
    create_environment(made, Log().observer())


@pytest.fixture
def prepared(make_spec, monkeypatch):
    """An environment that exists, and a set-up whose new one is only a folder."""
    made = make_spec()
    made.target.mkdir(parents=True)
    (made.target / "old").touch()
    monkeypatch.setattr(install, "list_steps", lambda _spec, folder: folder.mkdir() or [])
    monkeypatch.setattr(install, "_check_prefix", lambda *_: None)
    monkeypatch.setattr(install, "_check_engine", lambda *_: None)
    monkeypatch.setattr("terraspore.engine.fs.rename._PAUSES", ())
    return made


def test_on_windows_an_environment_in_use_stays_and_the_reason_is_named(prepared, monkeypatch):
    replace = Path.replace

    def refuse(path, target):
        if path == prepared.target:
            raise refuse_access(path)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(EngineError, match="Close other programs that use it"):
        create_environment(prepared, Log().observer())
    assert (prepared.target / "old").exists()
    assert sorted(path.name for path in prepared.target.parent.iterdir()) == ["tiny", "tiny.log"]


def test_leftovers_with_a_file_in_use_do_not_end_the_set_up_nor_the_removal(prepared, monkeypatch):
    """Windows does not remove them; a later set-up does."""
    parent = prepared.target.parent
    for name in ("tiny.new", "tiny.old", "tiny.new-1", "tiny.old-1"):
        (parent / name).mkdir()
        (parent / name / "file").touch()
    unlink = os.unlink

    def refuse(path, *, dir_fd=None):
        if dir_fd is not None and Path(f"/proc/self/fd/{dir_fd}").readlink().name in ("tiny.new", "tiny.old-1"):
            raise refuse_access(path)
        unlink(path, dir_fd=dir_fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        create_environment(prepared, Log().observer())
        assert not (prepared.target / "old").exists()
        assert sorted(path.name for path in parent.iterdir()) == ["tiny", "tiny.log", "tiny.new", "tiny.old-1"]
        remove_environment(prepared.target)
        assert sorted(path.name for path in parent.iterdir()) == ["tiny.new", "tiny.old-1"]
    remove_environment(prepared.target)
    assert list(parent.iterdir()) == []


def test_folder_without_wheels_is_refused(make_spec, tmp_path):
    (tmp_path / "nothing").mkdir()
    with pytest.raises(EngineError, match="There are no wheels"):
        create_environment(make_spec(wheels=tmp_path / "nothing"), Log().observer())


@pytest.mark.parametrize(
    ("version", "bits", "reason"),
    [
        ((3, 9, 1), 64, "3.9.1; needed is 3.10 to 3.14"),
        ((3, 15, 0), 64, "3.15.0; needed is 3.10 to 3.14"),
        ((3, 11, 0), 32, "32-bit"),
        ((3, 10, 2), 64, None),
        ((3, 14, 9), 64, None),
    ],
)
def test_unfit_interpreters(version, bits, reason):
    found = Interpreter("python", version, "/", bits, has_venv=True).explain_unfit(PYTHONS)
    assert (reason in found) if reason else found is None


def test_choice_that_is_no_python_is_refused(tmp_path):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o755)
    found, why = find_interpreter(str(program), ENVIRONMENT, PYTHONS)
    assert found is None
    assert f"{program}: it does not start as a Python" in why


def test_mindspore_needs_an_older_python_than_the_other_profiles():
    mindspore = ENV_PROFILES[2].pythons
    found = Interpreter("python", (3, 13, 1), "/", 64, has_venv=True)
    assert found.explain_unfit(PYTHONS) is None
    assert "3.13.1; needed is 3.10 to 3.12" in found.explain_unfit(mindspore)


def test_python_without_ssl_is_refused():
    found = Interpreter("python", (3, 12, 1), "/", 64, has_venv=True, has_ssl=False)
    assert "ssl" in found.explain_unfit(PYTHONS)


@pytest.mark.parametrize(
    ("machine", "version", "reason"),
    [
        ("win-arm64", (3, 12, 1), "pyogrio"),
        ("win-amd64", (3, 14, 1), None),
        ("darwin-x86_64", (3, 14, 1), "take Python 3.13 or older"),
        ("darwin-x86_64", (3, 13, 1), None),
        ("darwin-arm64", (3, 14, 1), None),
    ],
)
def test_pythons_of_machines_without_packages_are_refused(machine, version, reason):
    found = Interpreter("python", version, "/", 64, has_venv=True, machine=machine).explain_unfit(PYTHONS)
    assert reason in found if reason else found is None


def make_program(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o755)
    return str(path)


def test_pythons_of_pyenv_and_uv_are_found_though_they_are_not_on_the_path(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    pyenv = make_program(tmp_path / ".pyenv/versions/3.12.4/bin/python3.12")
    uv = make_program(tmp_path / ".local/share/uv/python/cpython-3.13.2-linux-x86_64-gnu/bin/python3.13")
    old = make_program(tmp_path / ".pyenv/versions/3.8.1/bin/python3.8")
    found = list_candidates("", PYTHONS)
    assert {pyenv, uv} <= set(found)
    assert old not in found


def test_macos_bundle_is_searched_and_apples_stub_is_not_run(monkeypatch, tmp_path):
    bundle = tmp_path / "QGIS.app" / "Contents" / "MacOS"
    python = make_program(bundle / "python3.12")
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(sys, "executable", str(bundle / "QGIS"))
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/python3" if name == "python3" else None)
    found = list_candidates("", PYTHONS)
    assert python in found
    assert "/usr/bin/python3" not in found
    monkeypatch.setattr(interpreters, "_APPLE_TOOLS", (python,))  # as if the developer tools were installed
    assert "/usr/bin/python3" in list_candidates("", PYTHONS)


def test_windows_registry_usual_folders_and_launcher_are_searched(monkeypatch, tmp_path):
    registered = make_program(tmp_path / "registered" / "python.exe")
    usual = make_program(tmp_path / "local" / "Programs" / "Python" / "Python311" / "python.exe")
    launched = make_program(tmp_path / "store" / "python.exe")
    launcher = tmp_path / "py"
    launcher.write_text(f'#!/bin/sh\n[ "$1" = -3.10 ] && echo "{launched}"\n')
    launcher.chmod(0o755)

    def query(root, key):
        if root == "user" and key == "SOFTWARE\\Python\\PythonCore\\3.13\\InstallPath":
            return str(tmp_path / "registered")
        raise FileNotFoundError(key)

    registry = SimpleNamespace(HKEY_CURRENT_USER="user", HKEY_LOCAL_MACHINE="machine", QueryValue=query)
    monkeypatch.setitem(sys.modules, "winreg", registry)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "qgis-bin.exe"))
    monkeypatch.setattr("shutil.which", lambda name: str(launcher) if name == "py" else None)
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    found = list_candidates("", PYTHONS)
    assert {registered, usual, launched} <= set(found)


def test_a_companys_index_and_certificates_reach_pip_but_not_the_engine(monkeypatch):
    for name in ("PIP_INDEX_URL", "PIP_CERT", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "theirs")
    names = {"PIP_INDEX_URL", "PIP_CERT", "SSL_CERT_FILE"}
    assert names <= set(make_installer_env())
    assert not names & set(make_engine_env(Settings()))


def test_qgis_itself_is_no_candidate(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/opt/QGIS/bin/qgis-bin.exe")
    assert "/opt/QGIS/bin/qgis-bin.exe" not in list_candidates("", PYTHONS)


def test_variables_of_qgis_and_python_do_not_reach_a_child():
    variables = {
        "PATH": "/opt/qgis/bin:/usr/bin:/opt/qgis-tools", "HOME": "/home/me", "PYTHONHOME": "x",
        "PYTHONEXECUTABLE": "x", "__PYVENV_LAUNCHER__": "x",
        "PIP_INDEX_URL": "x", "GDAL_DATA": "x", "PROJ_LIB": "x", "LD_LIBRARY_PATH": "x", "LD_PRELOAD": "x",
        "VIRTUAL_ENV": "x", "SSL_CERT_FILE": "x", "DYLD_LIBRARY_PATH": "x", "QT_PLUGIN_PATH": "x", "Path2": "kept",
    }  # fmt: skip
    found = make_child_env(variables, qgis_folder="/opt/qgis", separator=":", extra={"HTTPS_PROXY": "p"})
    assert found == {"PATH": "/usr/bin:/opt/qgis-tools", "HOME": "/home/me", "Path2": "kept", "HTTPS_PROXY": "p"}
    path = r"C:\Windows;C:\OSGEO4W\bin;C:\OSGeo4W\apps\qgis\bin;C:\OSGeo4W2\bin"
    windows = make_child_env({"PATH": path}, qgis_folder="C:/OSGeo4W", separator=";")
    assert windows["PATH"] == r"C:\Windows;C:\OSGeo4W2\bin"
    shared = make_child_env({"PATH": "/usr/bin:/bin"}, qgis_folder="/usr", separator=":")
    assert shared["PATH"] == "/usr/bin:/bin"


def test_profiles_require_what_the_engine_needs():
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    engine, extra = project["dependencies"], project["optional-dependencies"]["training"]
    assert list(ENV_PROFILES[0].requirements[: len(engine)]) == engine
    assert set(ENV_PROFILES[0].requirements[len(engine) :]) <= set(extra)
    assert list(ENV_PROFILES[0].optional) == project["optional-dependencies"]["accelerate"]
    assert [profile.name for profile in ENV_PROFILES] == ["cpu", "cuda", "mindspore"]
    assert [profile.minutes for profile in ENV_PROFILES] == [2, 7, 5]
    assert sum(entry.startswith("onnxruntime") for entry in ENV_PROFILES[1].requirements) == 1

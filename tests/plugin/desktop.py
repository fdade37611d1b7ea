"""Starts a desktop QGIS on a virtual screen, and qgis_process, with a profile of their own."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

HERE = Path(__file__).parent


def qgis_program():
    """The desktop QGIS; Debian's wrapper is passed over, for it ends with the wrapper's own options."""
    return shutil.which("qgis.bin") or shutil.which("qgis")


def qgis_process_program():
    """Its program; Debian's wrapper is passed over, which adds an option that it does not know."""
    return shutil.which("qgis_process.bin") or shutil.which("qgis_process")


def make_environment(folder):
    """The variables of a user whose home, data and profiles are in ``folder``."""
    environment = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TMPDIR") if name in os.environ}
    environment.update(
        PATH="/usr/local/bin:/usr/bin:/bin",  # QGIS takes the first python3 there for its own
        HOME=str(folder / "home"),
        XDG_DATA_HOME=str(folder / "data"),
        XDG_CONFIG_HOME=str(folder / "config"),
        XDG_RUNTIME_DIR=str(folder / "runtime"),
        OMP_NUM_THREADS="2",
    )
    for name in ("home", "data", "config", "runtime"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    return environment


def run_desktop(folder, config, seconds):
    """Run ``desktop_script.py`` with ``config`` and return its report.

    Args:
        folder: for the profile and for the pictures.
        config: the script's configuration.
        seconds: after which QGIS is ended.
    """
    out = folder / "out"
    out.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({**config, "out": str(out), "tests": str(HERE.parent)}))
    environment = {**make_environment(folder), "DESKTOP_CONFIG": str(folder / "config.json")}
    command = ["xvfb-run", "-a", "-s", "-screen 0 1400x900x24", qgis_program(), "--nologo", "--noversioncheck"]
    command += ["--profiles-path", str(folder / "profiles"), "--code", str(HERE / "desktop_script.py")]
    command += config.get("arguments", [])
    with (folder / "qgis.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            process.wait(timeout=seconds)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
    report = out / "report.json"
    assert report.is_file(), (folder / "qgis.log").read_text(errors="replace")[-3000:]
    return json.loads(report.read_text())


def run_qgis_process(folder, *arguments):
    """Run qgis_process with the profile that ``run_desktop`` left in ``folder``; return its exit code and output."""
    own = {"QGIS_CUSTOM_CONFIG_PATH": str(folder / "profiles"), "QT_QPA_PLATFORM": "offscreen"}
    command = [qgis_process_program(), *arguments]
    done = subprocess.run(command, env={**make_environment(folder), **own}, capture_output=True, text=True, timeout=800)
    return done.returncode, done.stdout + done.stderr

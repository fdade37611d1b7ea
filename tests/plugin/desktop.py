"""Starts a desktop QGIS on a virtual screen with a profile of its own."""

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


def run_desktop(folder, config, seconds):
    """Run ``desktop_script.py`` with ``config`` and return its report.

    Args:
        folder: for the profile and for the pictures.
        config: the script's configuration.
        seconds: after which QGIS is ended.
    """
    out = folder / "out"
    out.mkdir(parents=True)
    values = {**config, "out": str(out), "tests": str(HERE.parent)}
    (folder / "config.json").write_text(json.dumps(values))
    keep = ("LANG", "LC_ALL", "TMPDIR")
    environment = {name: os.environ[name] for name in keep if name in os.environ}
    environment.update(
        PATH="/usr/local/bin:/usr/bin:/bin",  # QGIS takes the first python3 there for its own
        HOME=str(folder / "home"),
        XDG_DATA_HOME=str(folder / "data"),
        XDG_CONFIG_HOME=str(folder / "config"),
        XDG_RUNTIME_DIR=str(folder / "runtime"),
        DESKTOP_CONFIG=str(folder / "config.json"),
        OMP_NUM_THREADS="2",
        **config.get("environment", {}),
    )
    for name in ("home", "data", "config", "runtime"):
        (folder / name).mkdir(mode=0o700)
    command = ["xvfb-run", "-a", "-s", "-screen 0 1400x900x24", qgis_program(), "--nologo", "--noversioncheck"]
    command += ["--profiles-path", str(folder / "profiles"), "--code", str(HERE / "desktop_script.py")]
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

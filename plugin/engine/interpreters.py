"""Search for a Python from which an environment can be made.

``sys.executable`` does not serve: on Windows and macOS it is QGIS itself.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..i18n import tr
from .process import NO_WINDOW

#: Major and minor version.
Version = tuple[int, int]

_PROBE = """
import json, os, platform, struct, sys, sysconfig
def has(*names):
    try:
        for name in names:
            __import__(name)
    except ImportError:
        return False
    return True
library_folder = sys.argv[1]
needs_folder = bool(library_folder) and not has("ssl")
if needs_folder and hasattr(os, "add_dll_directory"):
    os.add_dll_directory(library_folder)
machine = sysconfig.get_platform() if os.name == "nt" else sys.platform + "-" + platform.machine()
print(json.dumps({
    "version": sys.version_info[:3], "prefix": sys.prefix, "bits": struct.calcsize("P") * 8, "machine": machine,
    "has_venv": has("venv", "ensurepip"), "has_ssl": has("ssl"),
    "library_folder": library_folder if needs_folder else "",
}))
"""
_PROBE_SECONDS = 60
#: The newest Python for which all packages have wheels on Macs with Intel processors; pip takes older versions there.
_LAST_INTEL_MAC: Version = (3, 13)
#: Apple's ``/usr/bin/python3`` is a stub that opens a dialog to install developer tools unless one of these is there.
_APPLE_STUB = "/usr/bin/python3"
_APPLE_TOOLS = ("/Library/Developer/CommandLineTools/usr/bin/python3", "/Applications/Xcode.app")


@dataclass(frozen=True)
class Interpreter:
    """Facts about a Python interpreter.

    Attributes:
        path: the program.
        version: major, minor and micro version.
        prefix: its ``sys.prefix``.
        bits: 64 or 32.
        has_venv: whether it has ``venv`` and ``ensurepip``.
        has_ssl: whether it can load ``ssl``, without which nothing can be downloaded.
        library_folder: the folder with libraries (DLLs) that it loads ``ssl`` from only if it is told to; or empty.
        machine: system and processor that it was built for: ``win-amd64``, ``darwin-arm64``, ``linux-x86_64``.
    """

    path: str
    version: tuple[int, ...]
    prefix: str
    bits: int
    has_venv: bool
    has_ssl: bool = True
    library_folder: str = ""
    machine: str = ""

    def explain_unfit(self, versions: Sequence[Version]) -> str | None:
        """Explain in half a sentence why no environment of ``versions`` can be made from it; None where one can."""
        if self.version[:2] not in versions:
            return tr("it is Python {version}; needed is {wanted}").format(
                version=".".join(map(str, self.version)), wanted=format_versions(versions)
            )
        if self.bits != 64:
            return tr("it is a 32-bit Python")
        if not self.has_venv:
            return tr("it has no venv (on Debian and Ubuntu: sudo apt install python3-venv)")
        if not self.has_ssl:
            return tr("its module ssl cannot be loaded, so that nothing can be downloaded")
        if self.machine == "win-arm64":
            return tr(
                "it is a Python for ARM64, for which pyogrio, OpenCV and OpenVINO have no packages on Windows; install "
                "the 64-bit (x64) Python of python.org, which runs on ARM64 as well"
            )
        if self.machine == "darwin-x86_64" and self.version[:2] > _LAST_INTEL_MAC:
            newest = ".".join(map(str, _LAST_INTEL_MAC))
            return tr("rasterio has no packages for it on Macs with Intel processors; take {newest} or older").format(
                newest=f"Python {newest}"
            )
        return None


def format_versions(versions: Sequence[Version]) -> str:
    """Format consecutive versions, from old to new: ``3.10 to 3.12``."""
    first, last = (".".join(map(str, version)) for version in (versions[0], versions[-1]))
    return tr("{lowest} to {highest}").format(lowest=first, highest=last)


def list_candidates(chosen: str, versions: Sequence[Version]) -> list[str]:
    """List programs that may be a Python, the best first: QGIS's own, those on the path, those of usual folders.

    Args:
        chosen: the user's choice, which is then the only candidate; or empty.
        versions: the versions that serve, from old to new.
    """
    if chosen:
        return [chosen]
    found = []
    if Path(sys.executable or "").stem.lower().startswith("python"):
        found.append(sys.executable)
    prefix = Path(sys.base_exec_prefix)
    major, minor = sys.version_info[:2]
    names = ("python.exe", "python3.exe") if sys.platform == "win32" else (f"bin/python{major}.{minor}", "bin/python3")
    found += [str(prefix / name) for name in names if (prefix / name).is_file()]
    # Newer versions last: packages are tried on them for a shorter time.
    commands = [f"python{major}.{minor}" for major, minor in sorted(versions, key=lambda v: (v > (3, 12), -v[1]))]
    found += filter(None, map(shutil.which, (*commands, "python3", "python")))
    search = {"win32": _search_windows, "darwin": _search_macos}.get(sys.platform, _search_linux)
    found += [str(path) for path in search(versions) if path.is_file()]
    if sys.platform == "darwin" and not any(map(os.path.exists, _APPLE_TOOLS)):
        found = [path for path in found if path != _APPLE_STUB]
    return list(dict.fromkeys(found))


def _search_windows(versions: Sequence[Version]) -> Iterator[Path]:
    """Yield what the registry names, where python.org installs, and what the launcher ``py`` knows."""
    import winreg

    for major, minor in reversed(versions):
        key = rf"SOFTWARE\Python\PythonCore\{major}.{minor}\InstallPath"
        for root in (winreg.HKEY_CURRENT_USER, winreg.HKEY_LOCAL_MACHINE):
            try:
                yield Path(winreg.QueryValue(root, key)) / "python.exe"
            except OSError:  # not installed there
                continue
    for variable in ("LOCALAPPDATA", "ProgramFiles"):
        folder = Path(os.environ.get(variable, "")) / ("Programs/Python" if variable == "LOCALAPPDATA" else "")
        yield from (folder / f"Python{major}{minor}" / "python.exe" for major, minor in reversed(versions))
    launcher = shutil.which("py")
    for version in reversed(versions) if launcher else ():
        yield from _ask_launcher(str(launcher), version)


def _ask_launcher(launcher: str, version: Version) -> Iterator[Path]:
    """Yield the program that Windows' launcher ``py`` starts for ``version``, if any."""
    try:
        done = subprocess.run(  # nosec B603
            [launcher, f"-{version[0]}.{version[1]}", "-I", "-c", "import sys; print(sys.executable)"],
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=True,
            stdin=subprocess.DEVNULL,
            **NO_WINDOW,
        )
    except (OSError, subprocess.SubprocessError):
        return
    yield Path(os.fsdecode(done.stdout.strip()))


def _search_macos(versions: Sequence[Version]) -> Iterator[Path]:
    """Yield the Pythons of QGIS's bundle, python.org, Homebrew and MacPorts."""
    bundle = Path(sys.executable or "").parent  # QGIS.app/Contents/MacOS
    for major, minor in reversed(versions):
        name = f"python{major}.{minor}"
        yield from (bundle / name, bundle / "bin" / name)
        yield Path(f"/Library/Frameworks/Python.framework/Versions/{major}.{minor}/bin/{name}")
        yield from (Path(folder) / name for folder in ("/opt/homebrew/bin", "/usr/local/bin", "/opt/local/bin"))


def _search_linux(versions: Sequence[Version]) -> Iterator[Path]:
    """Yield the Pythons of pyenv and uv, which are often not on the path of a desktop program."""
    for folder in (".pyenv/versions", ".local/share/uv/python"):
        for major, minor in reversed(versions):
            pattern = f"*{major}.{minor}.*/bin/python{major}.{minor}"
            yield from sorted((Path.home() / folder).glob(pattern), reverse=True)


def probe_interpreter(path: str, environment: Mapping[str, str]) -> Interpreter | None:
    """Run the program ``path`` to learn what it is; None where it is not a Python that starts."""
    folder = find_library_folder(Path(path))
    try:
        done = subprocess.run(  # nosec B603
            [path, "-I", "-c", _PROBE, str(folder or "")],
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=True,
            env=add_library_folder(environment, Path(path)),
            stdin=subprocess.DEVNULL,
            **NO_WINDOW,
        )
        facts = json.loads(done.stdout)
        return Interpreter(path, **{**facts, "version": tuple(facts["version"])})
    except (OSError, subprocess.SubprocessError, ValueError, TypeError, KeyError):
        return None


def find_interpreter(
    chosen: str, environment: Mapping[str, str], versions: Sequence[Version]
) -> tuple[Interpreter | None, str]:
    """Find the first Python from which an environment can be made.

    Args:
        chosen: the user's choice, or empty.
        environment: variables for the programs that are tried.
        versions: the versions that serve, from old to new.

    Returns:
        The interpreter, or None and a sentence that says why each candidate cannot be used.
    """
    reasons = []
    for path in list_candidates(chosen, versions):
        interpreter = probe_interpreter(path, environment)
        reason = interpreter.explain_unfit(versions) if interpreter else tr("it does not start as a Python")
        if reason is None:
            return interpreter, ""
        reasons.append(f"{path}: {reason}")
    return None, " ".join([tr("No Python was found from which an environment can be made."), "; ".join(reasons)])


#: The line with the base's folder in the configuration of a virtual environment.
_HOME = "home"


def find_library_folder(python: Path) -> Path | None:
    """Find the folder with the libraries of the interpreter ``python``; None where it needs none.

    Args:
        python: ``<root>/apps/Python312/python.exe``, or the interpreter of a virtual environment made from it.
    """
    prefix = _find_base(python.parent)
    folder = prefix.parent.parent / "bin"
    return folder if prefix.parent.name.lower() == "apps" and folder.is_dir() else None


def add_library_folder(environment: Mapping[str, str], python: Path) -> dict[str, str]:
    """Return the variables for a run of ``python``, with its library folder on ``PATH`` if it needs one."""
    folder = find_library_folder(python)
    if folder is None:
        return dict(environment)
    return {**environment, "PATH": os.pathsep.join(filter(None, (str(folder), environment.get("PATH", ""))))}


def make_path_line(folder: Path) -> str:
    """Make the line of a ``.pth`` file with which a virtual environment finds libraries in ``folder``; it is ASCII."""
    return f"import os; hasattr(os, 'add_dll_directory') and os.add_dll_directory({str(folder)!a})\n"


def _find_base(folder: Path) -> Path:
    """Return the folder of the Python from which the virtual environment of ``folder`` was made, else ``folder``."""
    try:
        lines = (folder.parent / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return folder
    values = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}
    return Path(values.get(_HOME) or folder)

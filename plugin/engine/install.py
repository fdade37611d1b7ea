"""Create and remove the virtual environment of the engine.

A new environment is made in a folder of its own and replaces the old one only when the engine starts in it.
"""

from __future__ import annotations

import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable

from ...engine.errors import OutputBusyError, OutputError
from ...engine.fs.lock import lock_paths
from ...engine.fs.rename import is_in_use, rename
from ..i18n import tr
from .env_profiles import EnvProfile
from .errors import EngineCancelledError, EngineError
from .interpreters import Interpreter, add_library_folder, make_path_line, probe_interpreter
from .process import OWN_TREE, end_process_tree

_LOG_LINES_IN_ERROR = 40
#: Code that writes its argument into a file which the environment's interpreter reads at its start.
_WRITE_PATH_FILE = (
    "import sys, sysconfig; "
    "open(sysconfig.get_path('purelib') + '/terraspore_libraries.pth', 'w', encoding='ascii').write(sys.argv[1])"
)
#: The line with which pip begins a large download.
_DOWNLOAD = re.compile(r"Downloading .*\((\d+(?:\.\d+)?) MB\)")
#: Finished share when everything is downloaded, and when everything is installed.
_DOWNLOAD_SHARE, _CHECK_SHARE = 0.8, 0.95


@dataclass(frozen=True)
class EnvSpec:
    """An environment to be made.

    Attributes:
        profile: the packages.
        target: the environment's folder.
        base: the Python to make it from.
        wheels: folder of wheels for an installation without network; None for a package index.
        launcher: the engine's launcher, to check the result with.
        environment: variables for all commands.
        index: address of the package index; empty for PyPI.
    """

    profile: EnvProfile
    target: Path
    base: Interpreter
    wheels: Path | None
    launcher: Path
    environment: Mapping[str, str]
    index: str = ""

    @property
    def log(self) -> Path:
        """The log of the set-up, beside the environment."""
        return self.target.with_name(self.target.name + ".log")


@dataclass(frozen=True)
class InstallStep:
    """One command of the set-up.

    Attributes:
        text: what it does, for people.
        command: program and arguments.
        is_required: whether the set-up fails with it.
    """

    text: str
    command: tuple[str, ...]
    is_required: bool = True


@dataclass(frozen=True)
class InstallObserver:
    """Callbacks of a set-up.

    Attributes:
        on_log: called with each line.
        on_progress: called with the finished share, 0..1.
        is_cancelled: asked several times a second.
    """

    on_log: Callable[[str], None]
    on_progress: Callable[[float], None]
    is_cancelled: Callable[[], bool]


def get_env_python(folder: Path) -> Path:
    """Return the interpreter of the environment in ``folder``."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def list_steps(spec: EnvSpec, folder: Path) -> list[InstallStep]:
    """List the commands that make ``spec`` in ``folder``."""
    python = str(get_env_python(folder))
    pip = (python, "-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check")
    pip += ("--only-binary=:all:", "--no-warn-script-location", "--progress-bar=off")
    pip += ("--no-compile",)  # Python compiles the modules that are used: less time, a tenth less on the disk
    if spec.wheels is not None:
        pip += ("--no-index", f"--find-links={spec.wheels}")
    elif spec.index:
        pip += (f"--index-url={spec.index}",)
    venv = (spec.base.path, "-I", "-m", "venv", "--clear")
    text = tr("Making an empty environment")
    if spec.base.library_folder:  # pip, too, needs what is there
        line = make_path_line(Path(spec.base.library_folder))
        steps = [
            InstallStep(text, (*venv, "--without-pip", str(folder))),
            InstallStep(text, (python, "-I", "-c", _WRITE_PATH_FILE, line)),
            InstallStep(text, (python, "-I", "-m", "ensurepip", "--default-pip")),
        ]
    else:
        steps = [InstallStep(text, (*venv, str(folder)))]
    steps.append(InstallStep(tr("Installing the engine's packages"), (*pip, *spec.profile.requirements)))
    if spec.profile.optional:
        steps.append(InstallStep(tr("Installing accelerators"), (*pip, *spec.profile.optional), is_required=False))
    return steps


def create_environment(spec: EnvSpec, observer: InstallObserver) -> Path:
    """Create an environment; an existing one is replaced when the new one works.

    Returns:
        The environment's interpreter.

    Raises:
        EngineError: it could not be made; the sentence says why.
        EngineCancelledError: ``observer.is_cancelled`` returned true; nothing is left but the log.
    """
    if spec.wheels is not None and not any(spec.wheels.glob("*.whl")):
        raise EngineError(
            tr("There are no wheels (.whl) in {folder}.").format(folder=spec.wheels),
            tr("Choose the folder that was filled with `pip download` on a machine with network."),
        )
    new_folder = _name_sibling(spec.target, "new")
    try:
        spec.target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(spec.target):
            _remove_leftovers(spec.target)
            try:
                _make_environment(spec, new_folder, observer)
            finally:
                shutil.rmtree(new_folder, ignore_errors=True)
        observer.on_progress(1.0)
    except OSError as error:
        text = tr("The environment {folder} could not be made: {reason}.")
        hint = tr("Close other programs that use it and try again.") if is_in_use(error) else None
        raise EngineError(text.format(folder=spec.target, reason=error.strerror or error), hint) from error
    return get_env_python(spec.target)


def _make_environment(spec: EnvSpec, new_folder: Path, observer: InstallObserver) -> None:
    """Make the environment in ``new_folder``, check it and move it to its place."""
    with spec.log.open("w", encoding="utf-8", buffering=1) as log:
        downloaded = 0.0

        def write_log(line: str) -> None:
            nonlocal downloaded
            log.write(line + "\n")
            observer.on_log(line)
            if found := _DOWNLOAD.search(line):
                observer.on_progress(_DOWNLOAD_SHARE * min(1.0, downloaded / spec.profile.download_megabytes))
                downloaded += float(found[1])

        logged = replace(observer, on_log=write_log)
        for step in list_steps(spec, new_folder):
            logged.on_log(step.text)
            _run_step(step, spec, logged)
        logged.on_log(tr("Checking the environment"))
        logged.on_progress(_CHECK_SHARE)
        _check_prefix(new_folder, spec)
        _check_engine(new_folder, spec, logged)
        _replace_folder(new_folder, spec.target)


def remove_environment(target: Path) -> None:
    """Remove the environment in ``target`` and what its set-up left beside it.

    Raises:
        EngineError: a file is in use or cannot be removed.
    """
    try:
        with _lock(target):
            _remove_leftovers(target)
            if target.exists():
                shutil.rmtree(target)
            target.with_name(target.name + ".log").unlink(missing_ok=True)
    except OSError as error:
        text = tr("The environment {folder} could not be removed: {reason}.")
        raise EngineError(
            text.format(folder=target, reason=error.strerror or error),
            tr("Close other programs that use it and try again."),
        ) from error


@contextmanager
def _lock(target: Path) -> Iterator[None]:
    """Exclude other set-ups and removals of ``target``: by another window, another QGIS, or one not yet cancelled."""
    try:
        with lock_paths([target]):
            yield
    except OutputBusyError as error:
        text = tr("The environment {folder} is already being set up or removed.").format(folder=target)
        raise EngineError(text, tr("Wait until that has ended, and try again.")) from error
    except OutputError as error:
        raise EngineError(str(error)) from error


def _name_sibling(target: Path, mark: str) -> Path:
    """Return the path of the new or old environment of a set-up by this process."""
    return target.with_name(f"{target.name}.{mark}-{os.getpid()}")


def _remove_leftovers(target: Path) -> None:
    """Remove what set-ups left beside ``target``, except files in use, which a later one removes."""
    for mark in ("new", "old"):
        for folder in target.parent.glob(f"{target.name}.{mark}*"):
            shutil.rmtree(folder, ignore_errors=True)


def explain_pip_failure(output: str) -> str | None:
    """Explain the output of a pip that failed, without a full stop; None where its meaning is not known."""
    sentences = {  # the cause of a failed download comes before its result, "No matching distribution"
        "CERTIFICATE_VERIFY_FAILED": tr("The connection's certificate is not trusted (a proxy that inspects TLS?)"),
        "ProxyError": tr("The proxy refused the connection"),
        "NewConnectionError": tr("The package index cannot be reached"),
        "Temporary failure in name resolution": tr("The package index cannot be reached"),
        "Windows Long Path support": tr("The path of the folder of environments is too long for Windows"),
        "No space left on device": tr("The disk is full"),
        "ResolutionImpossible": tr("The available packages are not compatible with each other"),
        "No matching distribution found": tr("A package is not available for this Python and system"),
        "Permission denied": tr("A file could not be written"),
    }
    return next((sentence for mark, sentence in sentences.items() if mark in output), None)


def _run_step(step: InstallStep, spec: EnvSpec, observer: InstallObserver) -> None:
    exit_code, lines = _run_command(step.command, spec.environment, observer)
    if exit_code == 0:
        return
    if not step.is_required:
        text = tr("{step}: not possible here; everything works without it, but more slowly.")
        observer.on_log(text.format(step=step.text))
        return
    output = "\n".join(lines[-_LOG_LINES_IN_ERROR:])
    last = next((line for line in reversed(lines) if "ERROR" in line), lines[-1] if lines else f"exit code {exit_code}")
    raise EngineError(
        tr("{step} failed: {reason}.").format(step=step.text, reason=explain_pip_failure(output) or last),
        tr("The log is {file}.").format(file=spec.log),
        code="SetUpFailed",
        details=output,
    )


def _run_command(
    command: Sequence[str], environment: Mapping[str, str], observer: InstallObserver
) -> tuple[int, list[str]]:
    """Run one command to its end.

    Returns:
        Its exit code, and the lines of its output.

    Raises:
        EngineCancelledError: ``observer.is_cancelled`` returned true; the command and its children were ended.
    """
    lines = []
    with subprocess.Popen(  # nosec B603
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=add_library_folder(environment, Path(command[0])),
        **OWN_TREE,
    ) as process:
        for line in _read_lines(process):
            if observer.is_cancelled():
                end_process_tree(process)
                raise EngineCancelledError(tr("The set-up was cancelled; nothing was changed."))
            if line:
                lines.append(line)
                observer.on_log(line)
        return process.wait(), lines


def _read_lines(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """Yield the lines of the output as they come, and an empty one for each tenth of a second without any."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        for line in process.stdout or ():
            lines.put(line.decode("utf-8", "replace").rstrip())
        lines.put(None)

    threading.Thread(target=read, name="terraspore-setup", daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=0.1)
        except queue.Empty:
            yield ""
            continue
        if line is None:
            return
        yield line


def _check_prefix(folder: Path, spec: EnvSpec) -> None:
    """Check that the new interpreter uses its own folder, not that of the Python it was made from."""
    found = probe_interpreter(str(get_env_python(folder)), spec.environment)
    if found is None:
        reason = tr("it does not start as a Python")
    elif Path(found.prefix).resolve() != folder.resolve():
        reason = tr("it uses the packages of {folder}").format(folder=found.prefix)
    else:
        return
    raise EngineError(
        tr("The new environment cannot be used: {reason}.").format(reason=reason),
        tr("Choose another Python to make it from."),
    )


def _check_engine(folder: Path, spec: EnvSpec, observer: InstallObserver) -> None:
    command = (str(get_env_python(folder)), "-I", "-X", "utf8", str(spec.launcher), "devices")
    exit_code, lines = _run_command(command, spec.environment, observer)
    if exit_code != 0:
        last = lines[-1] if lines else f"exit code {exit_code}"
        text = tr("The engine does not start in the new environment: {reason}.")
        raise EngineError(text.format(reason=last), code="SetUpFailed")


def _replace_folder(source: Path, target: Path) -> None:
    """Move ``source`` to ``target``; what was there stays where that fails."""
    old = _name_sibling(target, "old")
    if target.exists():
        rename(target, old)
    try:
        rename(source, target)
    except OSError:
        if old.exists():
            rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)

"""Making and removing an environment: the commands, and carrying them out with a log, progress and cancel.

A new environment is made beside the old one and takes its place only when it works.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Callable

from .env_profiles import Family
from .errors import EngineCancelledError, EngineError
from .interpreters import Interpreter, probe

_LOG_LINES_IN_ERROR = 40
#: What pip says and what it means; why nothing came stands before that nothing was found.
_PIP_FAILURES = (
    ("CERTIFICATE_VERIFY_FAILED", "The connection's certificate is not trusted (a proxy that inspects TLS?)"),
    ("ProxyError", "The proxy refused the connection"),
    ("NewConnectionError", "The package index cannot be reached"),
    ("Temporary failure in name resolution", "The package index cannot be reached"),
    ("No space left on device", "The disk is full"),
    ("ResolutionImpossible", "The packages that are there do not fit together"),
    ("No matching distribution found", "A package is not there for this Python and system"),
    ("Permission denied", "A file could not be written"),
)


@dataclass(frozen=True)
class Recipe:
    """What to make.

    Attributes:
        family: the family of runtimes.
        target: the environment's folder.
        base: the Python to make it from.
        wheels: folder of wheels for an installation without network; None for a package index.
        launcher: the engine's launcher, to check the result with.
        environment: variables for all commands.
        index: address of the package index; empty for PyPI.
    """

    family: Family
    target: Path
    base: Interpreter
    wheels: Path | None
    launcher: Path
    environment: Mapping[str, str]
    index: str = ""


@dataclass(frozen=True)
class Step:
    """One command of the set-up.

    Attributes:
        text: what it does, for people.
        command: program and arguments.
        required: whether the set-up fails with it.
    """

    text: str
    command: tuple[str, ...]
    required: bool = True


@dataclass(frozen=True)
class Watcher:
    """Who follows a set-up: ``log`` hears every line, ``progress`` a share of 0..1, ``cancelled`` is asked."""

    log: Callable[[str], None]
    progress: Callable[[float], None]
    cancelled: Callable[[], bool]


def environment_python(folder: Path) -> Path:
    """The interpreter of the environment in ``folder``."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def steps(recipe: Recipe, folder: Path) -> list[Step]:
    """The commands that make ``recipe`` in ``folder``."""
    python = str(environment_python(folder))
    pip = (python, "-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check")
    pip += ("--only-binary=:all:", "--no-warn-script-location", "--progress-bar=off")
    if recipe.wheels is not None:
        pip += ("--no-index", f"--find-links={recipe.wheels}")
    elif recipe.index:
        pip += (f"--index-url={recipe.index}",)
    made = [
        Step("Making an empty environment", (recipe.base.path, "-I", "-m", "venv", "--clear", str(folder))),
        Step("Installing the engine's packages", (*pip, *recipe.family.requirements)),
    ]
    if recipe.family.optional:
        made.append(Step("Installing accelerators", (*pip, *recipe.family.optional), required=False))
    return made


def build(recipe: Recipe, watcher: Watcher) -> Path:
    """Make the environment; what was there before stays until the new one works.

    Returns:
        The environment's interpreter.

    Raises:
        EngineError: it could not be made; the sentence says why.
        EngineCancelledError: ``watcher`` said so; nothing is left.
    """
    _check_wheels(recipe)
    fresh = recipe.target.with_name(recipe.target.name + ".new")
    try:
        recipe.target.parent.mkdir(parents=True, exist_ok=True)
        log_file = recipe.target.with_name(recipe.target.name + ".log")
        with log_file.open("w", encoding="utf-8") as log:
            watcher = _tee(watcher, log)
            todo = steps(recipe, fresh)
            for index, step in enumerate(todo):
                watcher.log(step.text)
                watcher.progress(index / (len(todo) + 1))
                _carry_out(step, recipe, watcher)
            watcher.log("Checking the environment")
            watcher.progress(len(todo) / (len(todo) + 1))
            _check_prefix(fresh, recipe)
            _check_engine(fresh, recipe, watcher)
            _swap(fresh, recipe.target)
        watcher.progress(1.0)
    except OSError as error:
        raise EngineError(f"The environment {recipe.target} could not be made: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return environment_python(recipe.target)


def pip_failure(said: str) -> str | None:
    """What the words of a pip that failed mean, without a full stop; None where that is not known."""
    return next((sentence for mark, sentence in _PIP_FAILURES if mark in said), None)


def remove(target: Path) -> None:
    """Remove the environment in ``target`` and everything that a set-up left beside it.

    Raises:
        EngineError: a file is in use or cannot be removed.
    """
    try:
        for folder in (target, target.with_name(target.name + ".new"), target.with_name(target.name + ".old")):
            if folder.exists():
                shutil.rmtree(folder)
        target.with_name(target.name + ".log").unlink(missing_ok=True)
    except OSError as error:
        raise EngineError(
            f"The environment {target} could not be removed: {error.strerror or error}.",
            "Close other programs that use it and try again.",
        ) from error


def _check_wheels(recipe: Recipe) -> None:
    if recipe.wheels is not None and not any(recipe.wheels.glob("*.whl")):
        raise EngineError(
            f"There are no wheels (.whl) in {recipe.wheels}.",
            "Choose the folder that was filled with `pip download` on a machine with network.",
        )


def _tee(watcher: Watcher, log: IO[str]) -> Watcher:
    def both(line: str) -> None:
        log.write(line + "\n")
        log.flush()
        watcher.log(line)

    return Watcher(both, watcher.progress, watcher.cancelled)


def _carry_out(step: Step, recipe: Recipe, watcher: Watcher) -> None:
    lines: list[str] = []
    code = _run(step.command, recipe.environment, watcher, lines)
    if code == 0:
        return
    if not step.required:
        watcher.log(f"{step.text}: not possible here; everything works without, more slowly.")
        return
    said = "\n".join(lines[-_LOG_LINES_IN_ERROR:])
    reason = pip_failure(said)
    last = next((line for line in reversed(lines) if "ERROR" in line), lines[-1] if lines else f"exit code {code}")
    raise EngineError(
        f"{step.text} failed: {reason or last}.",
        f"The log is {recipe.target.with_name(recipe.target.name + '.log')}.",
        code="SetUpFailed",
        details=said,
    )


def _run(command: Sequence[str], environment: Mapping[str, str], watcher: Watcher, lines: list[str]) -> int:
    """Carry out one command; its lines go to the watcher and to ``lines``. Returns its exit code."""
    with subprocess.Popen(  # nosec B603
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        start_new_session=os.name == "posix",
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    ) as process:
        for line in _lines(process):
            if watcher.cancelled():
                _end(process)
                raise EngineCancelledError("The set-up was cancelled; nothing was changed.", code="Cancelled")
            if line:
                lines.append(line)
                watcher.log(line)
        return process.wait()


def _lines(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """The lines that ``process`` says until it ends, and an empty one whenever it says nothing for a moment."""
    said: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        for line in process.stdout or ():
            said.put(line.decode("utf-8", "replace").rstrip())
        said.put(None)

    threading.Thread(target=read, name="terraspore-setup", daemon=True).start()
    while True:
        try:
            line = said.get(timeout=0.1)
        except queue.Empty:
            yield ""
            continue
        if line is None:
            return
        yield line


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, 9)
        else:
            process.kill()
    process.wait()


def _check_prefix(folder: Path, recipe: Recipe) -> None:
    """The new interpreter must live in its own folder, not in the one that it was made from."""
    python = environment_python(folder)
    found = probe(str(python), recipe.environment)
    if found is None or Path(found.prefix).resolve() != folder.resolve():
        where = "it does not start" if found is None else f"it takes {found.prefix} for its own folder"
        raise EngineError(f"The new environment cannot be used: {where}.", "Choose another Python to make it from.")


def _check_engine(folder: Path, recipe: Recipe, watcher: Watcher) -> None:
    command = (str(environment_python(folder)), "-I", "-X", "utf8", str(recipe.launcher), "devices")
    lines: list[str] = []
    if _run(command, recipe.environment, watcher, lines) != 0:
        last = lines[-1] if lines else "it said nothing"
        raise EngineError(f"The engine does not start in the new environment: {last}.", code="SetUpFailed")


def _swap(fresh: Path, target: Path) -> None:
    """Put ``fresh`` in the place of ``target``; on Windows an antivirus may hold files for a moment."""
    old = target.with_name(target.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        _rename(target, old)
    try:
        _rename(fresh, target)
    except OSError:
        if old.exists():
            _rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _rename(source: Path, target: Path) -> None:
    for pause in (0.2, 0.5, 1.0, 2.0):
        try:
            source.rename(target)
            return
        except PermissionError:
            time.sleep(pause)
    source.rename(target)

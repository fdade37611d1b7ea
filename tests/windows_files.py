"""Files as on Windows: what a process has open or mapped is not renamed, replaced or removed.

    TERRASPORE_REFUSED=LOG python tests/windows_files.py ARGUMENTS...

runs the command ``terraspore ARGUMENTS`` under these rules and appends each operation that Windows would refuse to LOG.
Only the process's own files count, and only the operations of Python code; the files of locks, which are removed in
another order on Windows, do not. Systems without ``/proc`` have no such rules.
"""

from __future__ import annotations

import os
import runpy
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

LOG_VARIABLE = "TERRASPORE_REFUSED"
SHARING_VIOLATION = 32


def refuse_access(path: object = "", winerror: int = SHARING_VIOLATION) -> PermissionError:
    """Make the error with which Windows refuses access to a file that is open."""
    error = PermissionError(13, "The process cannot access the file because it is being used by another process", path)
    error.winerror = winerror
    return error


def list_open_files() -> set[tuple[int, int]]:
    """List device and inode of all files that this process has open or mapped."""
    found: set[tuple[int, int]] = set()
    if not Path("/proc/self").exists():
        return found
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            status = descriptor.stat()
            found.add((status.st_dev, status.st_ino))
    for line in Path("/proc/self/maps").read_text().splitlines():
        _addresses, _rights, _offset, device, inode, *_path = line.split(maxsplit=5)
        major, minor = (int(part, 16) for part in device.split(":"))
        found.add((os.makedev(major, minor), int(inode)))
    return found


def check_closed(path: os.PathLike | str, folder: int | None) -> None:
    """Raise the error of Windows if ``path``, or a file in it, is open."""
    full = Path(f"/proc/self/fd/{folder}").resolve() / path if folder is not None else Path(os.fsdecode(path))
    files = [full, *(Path(top) / name for top, _, names in os.walk(full) for name in names)]
    opened = list_open_files()
    for file in files:
        with suppress(FileNotFoundError):
            status = file.lstat()
            if (status.st_dev, status.st_ino) in opened and not file.is_dir() and not file.name.endswith(".lock"):
                raise refuse_access(str(file))


@contextmanager
def windows_rules(report: Callable[[str], object]) -> Iterator[None]:
    """Apply the rules during the block; ``report`` gets the stack of each operation that is refused."""

    def guard(name: str) -> Callable[..., Any]:
        operation = getattr(os, name)

        def call(*paths: Any, **options: Any) -> Any:
            try:
                for index, path in enumerate(paths):
                    folder = options.get("dir_fd") or options.get(("src_dir_fd", "dst_dir_fd")[index])
                    check_closed(path, folder)
            except PermissionError as error:
                report(f"{name} of {error.filename}\n{''.join(traceback.format_stack(limit=12))}")
                raise
            return operation(*paths, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in ("rename", "replace", "unlink", "remove"):
            patch.setattr(os, name, guard(name))
        with suppress(ImportError):  # QGIS's Python has not all packages
            from terraspore.engine.vector.io import geopackage

            patch.setattr(geopackage, "sys", SimpleNamespace(platform="win32"))  # closes what others would hold
        yield


def append_to_log(text: str) -> None:
    with Path(os.environ[LOG_VARIABLE]).open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")


if __name__ == "__main__":
    from patient_server import GRACE
    from terraspore.engine.cli import serve

    serve.STOP_GRACE = GRACE  # because its exit code is recorded
    with windows_rules(append_to_log):
        runpy.run_module("terraspore", run_name="__main__", alter_sys=True)

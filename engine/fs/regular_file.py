"""Read files of unknown origin: regular files only, with a size limit, and their identity.

Standard library only, Python 3.9: the QGIS plugin imports it with the journal.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import ModelError
from .paths import find_address

_CHUNK = 1 << 20


@dataclass(frozen=True)
class FileIdentity:
    """Path and state of a file, to detect that it was changed.

    Attributes:
        path: absolute path.
        size: bytes.
        modified: time of the last change, nanoseconds.
        inode: its number in the file system.
    """

    path: str
    size: int
    modified: int
    inode: int

    @classmethod
    def from_path(cls, path: Path) -> FileIdentity:
        """Return the present identity of ``path``; ``OSError`` if it does not exist."""
        status = path.stat()
        return cls(os.path.abspath(path), status.st_size, status.st_mtime_ns, status.st_ino)  # noqa: PTH100 (keeps links)

    def is_current(self) -> bool:
        """Whether the file exists and is unchanged; of one on the network that is not asked here."""
        if find_address(Path(self.path)) or self.path.startswith("/vsi"):
            return True
        try:
            return FileIdentity.from_path(Path(self.path)) == self
        except (OSError, ValueError):
            return False


@contextmanager
def open_regular(path: Path, max_bytes: int, error: type[ModelError]) -> Iterator[tuple[BinaryIO, int]]:
    """Open the regular file ``path`` for reading.

    Args:
        path: the file; links are followed.
        max_bytes: size limit.
        error: class of the raised exceptions.

    Yields:
        The open file and its size in bytes.

    Raises:
        ModelError: (of the class ``error``) the file is missing, not regular, too large or unreadable.
    """
    # Without O_NONBLOCK, opening a FIFO would wait for a writer forever.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise error(f"There is no file {path}.") from None
    except (OSError, ValueError) as failure:
        raise error(f"The file {path} cannot be opened: {_describe(failure)}.") from failure
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise error(f"{path} is not a regular file.")
    with os.fdopen(descriptor, "rb") as file:
        if status.st_size > max_bytes:
            raise error(f"The file {path} has {status.st_size} bytes; at most {max_bytes} are read.")
        try:
            yield file, status.st_size
        except OSError as failure:
            raise error(f"The file {path} cannot be read: {_describe(failure)}.") from failure


def read_regular(path: Path, max_bytes: int, error: type[ModelError]) -> bytes:
    """Read the regular file ``path``; arguments and errors as ``open_regular``."""
    with open_regular(path, max_bytes, error) as (file, size):
        content = file.read(size)
        if len(content) != size:
            raise error(f"The file {path} was changed while it was read.")
        return content


def compute_sha256(path: Path, max_bytes: int, error: type[ModelError]) -> str:
    """Compute the SHA-256 of the regular file ``path``, as 64 hexadecimal digits; errors as in ``open_regular``."""
    digest = hashlib.sha256()
    with open_regular(path, max_bytes, error) as (file, _):
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _describe(failure: OSError | ValueError) -> str:
    return getattr(failure, "strerror", None) or str(failure)

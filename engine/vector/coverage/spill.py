"""Arrays that wait in a temporary file, so that memory does not grow with the raster."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DiskFullError, OutputError


@dataclass(frozen=True)
class Parked:
    """Where an array lies in the file."""

    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


class Spill:
    """A temporary file without a name, made when it is first needed.

    Args:
        folder: where it lies; None for the system's folder for temporary files.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._file: IO[bytes] | None = None
        self.written = 0

    def __enter__(self) -> Spill:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def put(self, arrays: Sequence[NDArray[Any]]) -> list[Parked]:
        """Write arrays.

        Raises:
            DiskFullError: there is no space for them.
            OutputError: the file cannot be written.
        """
        try:
            if self._file is None:
                self._file = self._stack.enter_context(tempfile.TemporaryFile(dir=self._folder))  # noqa: SIM115
            parked = []
            self._file.seek(self.written)
            for array in arrays:
                parked.append(Parked(self.written, array.dtype, array.shape))
                self.written += self._file.write(np.ascontiguousarray(array).data)
            self._file.flush()
        except OSError as error:
            where = self._folder or tempfile.gettempdir()
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFullError(f"There is no space left in {where} for temporary data.") from error
            raise OutputError(f"Temporary data cannot be written in {where}: {error.strerror}.") from error
        return parked

    def get(self, parked: Sequence[Parked]) -> list[NDArray[Any]]:
        """Read arrays again."""
        assert self._file is not None
        found = []
        for one in parked:
            array = np.empty(one.shape, one.dtype)
            self._file.seek(one.offset)
            self._file.readinto(array.data)  # type: ignore[attr-defined]
            found.append(array)
        return found

"""Paths of vector files in the form that pyogrio needs.

On Linux and macOS pyogrio parses a path as a URI: what is before a ``!`` is taken for an archive, what is after a ``;``
in the last part is dropped, and line ends are removed. It would read ``/data/a!b.gpkg`` from the file ``b.gpkg`` of the
working directory.
"""

from __future__ import annotations

import os
from pathlib import Path

from pyogrio.util import vsi_path

from ..errors import VectorError


def pyogrio_path(path: Path) -> str:
    """Return the string with which pyogrio opens or creates ``path`` and no other file.

    Raises:
        VectorError: pyogrio would open another file.
    """
    absolute = os.path.abspath(path)  # noqa: PTH100 (keeps links)
    if vsi_path(absolute) not in (absolute, f"/vsizip/{absolute}"):
        raise VectorError(
            f"The vector file {path} has a '!', a ';' or a line end in its path, which GDAL's reader cannot handle.",
            "Rename it or its folder.",
        )
    return absolute

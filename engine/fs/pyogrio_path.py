"""Paths of vector files as pyogrio has to be given them.

On Linux and macOS pyogrio takes a path for an address: what stands before a ``!`` for an archive, what stands behind a
``;`` in the last part for nothing, and new lines it leaves out. It would read ``/data/a!b.gpkg`` from the file
``b.gpkg`` of the present folder.
"""

from __future__ import annotations

import os
from pathlib import Path

from pyogrio.util import vsi_path

from ..errors import VectorError


def pyogrio_path(path: Path) -> str:
    """What pyogrio has to be given to open or make ``path``, and nothing else.

    Raises:
        VectorError: pyogrio would take the path for another one.
    """
    absolute = os.path.abspath(path)  # noqa: PTH100 (links must stay)
    if vsi_path(absolute) not in (absolute, f"/vsizip/{absolute}"):
        raise VectorError(
            f"The vector file {path} has a '!', a ';' or a line end in its path, which would be taken for an address.",
            "Rename it or its folder.",
        )
    return absolute

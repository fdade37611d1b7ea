"""A folder of rasters given by ``TERRASPORE_CORPUS`` (for example the test data of rasterio or GDAL)."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest
from corpus_files import read_all
from terraspore.engine.errors import TerraSporeError

FOLDER = os.environ.get("TERRASPORE_CORPUS", "")
FILES = sorted(path for path in Path(FOLDER).rglob("*") if not path.is_dir()) if FOLDER else []


@pytest.mark.skipif(not FOLDER, reason="TERRASPORE_CORPUS names no folder of rasters")
def test_every_file_is_read_or_refused():
    read, refused = 0, {}
    for path in FILES:
        signal.alarm(60)  # a file that hangs ends the test
        try:
            read_all(path)
            read += 1
        except TerraSporeError as error:
            assert "\n" not in str(error), path  # noqa: PT017 (either outcome is right)
            assert error.exit_code == 2, (path, str(error))  # noqa: PT017
            refused[path.relative_to(FOLDER)] = str(error)
        finally:
            signal.alarm(0)
    print(f"{read} files read, {len(refused)} refused:")
    print("\n".join(f"{path}: {text}" for path, text in refused.items()))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1_500_000  # kB

"""The plugin as QGIS sees it: the folder under the name ``terraspore`` on the path of QGIS's own Python."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def root():
    return ROOT

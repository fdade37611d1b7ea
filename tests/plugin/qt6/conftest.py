"""The plugin on Qt 6: PyQt6 with stand-ins for QGIS's classes, in an environment of its own (``make qt6-setup``)."""

import sys

import pytest

if "PyQt6" not in sys.modules:  # the tests around these have imported QGIS, which is the real one or is missing
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def qgis_app(no_user_settings):
    """The stand-in of QGIS's application, off-screen."""
    from qgis.core import QgsApplication

    return QgsApplication([], True)

"""The sessions of the command line, and a picture with two roads."""

from __future__ import annotations

import numpy as np
import pytest
from terraspore.engine.cli.cli_context import CliContext


@pytest.fixture
def sessions():
    return CliContext().session_pool()


@pytest.fixture
def crossing():
    """A picture (3, 300, 300) with two bright roads, 9 m wide, that cross."""
    pixels = np.full((3, 300, 300), 20, np.uint8)
    pixels[:, 146:155, :] = 245
    pixels[:, :, 96:105] = 245
    return pixels

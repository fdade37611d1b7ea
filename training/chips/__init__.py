"""Training chips from rasters and vector layers."""

from .cutter import cut_chips
from .request import ChipsRequest

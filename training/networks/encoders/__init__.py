"""Encoders: what turns an image into features of falling size and rising depth.

Every encoder is a cell with the same contract, so that any decoder can stand on it:

* ``out_channels``: channels of the features that ``construct`` returns, stem first;
* ``output_stride``: how much smaller than the image the last feature is;
* ``stages``: the cells that make the features, stem left out;
* ``construct(image)`` returns all features as a tuple.
"""

from __future__ import annotations

from .resnet import ResNetEncoder

__all__ = ["ResNetEncoder"]

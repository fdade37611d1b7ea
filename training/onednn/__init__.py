"""Convolutions of a training on a CPU, computed by an operator of our own on MindSpore's oneDNN."""

from .cells import select_convolutions

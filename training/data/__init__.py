"""Data sets: layouts, samples, batches, chips, labels, lists and MindRecord files."""

from .batches import Batch, Sampler, batches, normalise
from .layouts import open_split, split_train_monitor
from .samples import Cache, Item, Split, read_image, read_label

__all__ = [
    "Batch",
    "Cache",
    "Item",
    "Sampler",
    "Split",
    "batches",
    "normalise",
    "open_split",
    "read_image",
    "read_label",
    "split_train_monitor",
]

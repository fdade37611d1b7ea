"""Data sets: layouts and samples, augmented batches, labels and lists of published data sets, MindRecord files."""

from .batches import Batch, BatchLoader, normalise, prefetch_batches
from .layouts import open_split, open_train_val
from .samples import ImageCache, Sample, Split, read_image, read_label

__all__ = [
    "Batch",
    "BatchLoader",
    "ImageCache",
    "Sample",
    "Split",
    "normalise",
    "open_split",
    "open_train_val",
    "prefetch_batches",
    "read_image",
    "read_label",
]

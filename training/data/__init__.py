"""Data sets: layouts and samples, augmented batches, labels and lists of published data sets, MindRecord files."""

from .batches import Batch, BatchLoader, make_caches, make_loader, normalise, prefetch_batches
from .image_files import read_image, read_label
from .layouts import open_split, open_train_val
from .samples import ImageCache, Sample, Split
from .sources import Source, TrainingData, open_sources, open_training_data, source_configs

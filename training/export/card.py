"""Create the model card of a trained network from the configuration of its training."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

from ...engine.errors import CheckpointError, ParameterError
from ...engine.fs.regular_file import compute_sha256
from ...engine.models.card import CARD_NAME, ClassInfo, ModelCard, Normalisation, write_card
from ...engine.models.checkpoint import MAX_CHECKPOINT_BYTES
from ...engine.models.domain import Domain
from ..config import Config
from ..evaluation.plots import class_colours
from ..networks import NetworkOptions, network_entry, read_options
from .details import CardDetails
from .graphs import provide_graph

#: colour of roads where the configuration gives none
ROAD_COLOUR = (228, 0, 43)


def create_card(
    config: Config, details: CardDetails, *, weights: str, sha256: str, domain: Domain | None = None
) -> ModelCard:
    """Create the card of a network that was trained with ``config``.

    Args:
        config: configuration of the run.
        details: what it does not contain.
        weights: name of the weights file.
        sha256: of the weights file.
        domain: statistics of the training images.

    Raises:
        ParameterError: the resolution is not known, or names and number of classes do not fit.
        CardError: a value that no card may have.
    """
    resolution = details.resolution or config.resolution
    if not resolution:
        raise ParameterError("The ground resolution of the training images is not known.", "Give --resolution.")
    entry = network_entry(config.network.name)
    options = read_network_options(config)
    count = config.network.num_classes
    # A recipe that several sources inherit names one data set and its licence; the sources have their own.
    names = [source.name or Path(source.root).name for source in config.data.sources]
    licences = dict.fromkeys(source.licence or config.licence or "not said" for source in config.data.sources)
    tile = details.tile or -(-512 // entry.multiple) * entry.multiple
    return ModelCard(
        name=details.name,
        title=details.title or config.title or f"{entry.title}, {config.name}",
        task=details.task or ("roads" if count == 1 else "landcover"),
        architecture=config.network.name,
        classes=_classes(config),
        resolution=resolution,
        bands=options.in_channels,
        normalisation=Normalisation(
            config.normalisation.scale, tuple(config.normalisation.mean), tuple(config.normalisation.std)
        ),
        dtype="uint8",
        stretch=True,
        activation="sigmoid" if count == 1 else "softmax",
        tile=tile,
        overlap=details.overlap if details.overlap is not None else tile // 8,
        multiple=entry.multiple,
        threshold=details.threshold if details.threshold is not None else config.evaluation.threshold,
        weights=weights,
        sha256=sha256,
        data=details.data or "; ".join(filter(None, (config.source, ", ".join(names)))) or "not said",
        licence=details.licence or "; ".join(licences) or config.licence or "not said",
        split=details.split or f"{config.data.train} for training, {config.data.test} for the metrics",
        metrics=dict(details.metrics),
        notes=details.notes,
        options=entry.changed_options(options),
        domain=domain,
        contrast=config.normalisation.contrast,
    )


def write_run_card(
    weights: Path, config: Config, metrics: Mapping[str, float], domain: Domain | None = None
) -> Path | None:
    """Write the card of a run's best weights next to them, so that the engine accepts the run's folder as a model.

    The network's graph is written as well where ``resources`` has none.

    Args:
        weights: the checkpoint.
        config: of the run.
        metrics: of the validation that found these weights the best; values that are not finite are left out.
        domain: statistics of the training images.

    Returns:
        Path of the card, or None where the configuration has no ground resolution, which a card needs.
    """
    if not config.resolution:
        return None
    name = re.sub(r"[^A-Za-z0-9._-]", "-", config.name).lstrip("._-") or "model"
    finite = {key: float(value) for key, value in metrics.items() if math.isfinite(value)}
    held = config.data.val or f"every {config.data.holdout}th training image, held out"
    details = CardDetails(name=name[:100], metrics=finite, split=f"{config.data.train} for training; metrics on {held}")
    digest = compute_sha256(weights, MAX_CHECKPOINT_BYTES, CheckpointError)
    card = create_card(config, details, weights=weights.name, sha256=digest, domain=domain)
    path = weights.with_name(CARD_NAME)
    provide_graph(card, path.parent)
    write_card(path, card)
    return path


def read_network_options(config: Config) -> NetworkOptions:
    """Read the network's options from the configuration, and check its bands against the normalisation.

    Raises:
        ParameterError: an option that the network does not have, or another number of bands.
    """
    options = read_options(config.network.name, config.network.options)
    if {len(config.normalisation.mean), len(config.normalisation.std)} != {options.in_channels}:
        raise ParameterError(
            f"The network takes {options.in_channels} bands, but the normalisation has "
            f"{len(config.normalisation.mean)} means and {len(config.normalisation.std)} standard deviations."
        )
    return options


def _classes(config: Config) -> tuple[ClassInfo, ...]:
    """List the classes by channel; the foreground of a mask has the id 1, because 0 is the background."""
    count, names = config.network.num_classes, config.data.classes
    if len(names) != count:
        raise ParameterError(f"data.classes has {len(names)} names, but network.num_classes is {count}.")
    if count == 1:
        red, green, blue = config.data.colours[0] if config.data.colours else ROAD_COLOUR
        return (ClassInfo(1, names[0], (int(red), int(green), int(blue))),)
    colours = class_colours(config)[:count].tolist()
    return tuple(
        ClassInfo(index, name, (red, green, blue))
        for index, (name, (red, green, blue)) in enumerate(zip(names, colours, strict=True))
    )

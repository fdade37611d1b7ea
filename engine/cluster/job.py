"""What a worker needs to compute blocks of a run: values that are sent to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import ClusterError, ModelError
from ..fs.regular_file import compute_sha256
from ..models.card import ModelCard
from ..models.checkpoint import MAX_CHECKPOINT_BYTES
from ..models.registry import Model, find_model
from ..protocol.options import RuntimeOptions
from ..raster.pixel_view import PixelView, SourceSpec
from ..runtimes.base import NetworkFactory
from ..tiling import TilePlan


def describe_for_others(view: PixelView) -> SourceSpec:
    """Return the description of ``view`` with absolute paths, because other processes have other working folders."""
    spec = view.spec
    return replace(spec, images=tuple(replace(image, path=image.path.absolute()) for image in spec.images))


@dataclass(frozen=True)
class WorkerJob:
    """What all workers of a run need. Picklable.

    Attributes:
        name: of the run, unique on its scheduler.
        view: the pixels.
        plan: the tiles.
        card: of the model.
        weights: where the model's weights are on the machine that began the run.
        sha256: of the weights.
        runtime: device, runtime, precision and threads.
        tta: whether to average over the symmetries of the square.
        network_factory: makes MindSpore networks; None where there is no training package.
    """

    name: str
    view: SourceSpec
    plan: TilePlan
    card: ModelCard
    weights: Path
    sha256: str
    runtime: RuntimeOptions
    tta: bool
    network_factory: NetworkFactory | None

    def find_model(self) -> Model:
        """Return the model with the weights of this machine: under the same path, or an installed one of its name.

        Raises:
            ClusterError: there is none with the same weights.
        """
        if self._has_weights(self.weights):
            return Model(self.card, self.weights, self.sha256)
        try:
            installed = find_model(self.card.name)
        except ModelError:
            installed = None
        if installed is None or installed.sha256 != self.sha256:
            raise ClusterError(
                f"The model {self.card.name} is not there: neither {self.weights} nor an installed model of that name "
                f"has the weights with the SHA-256 {self.sha256[:12]}...",
                "Install it there, or give --model a path that all workers see.",
            )
        return replace(installed, card=self.card)

    def _has_weights(self, path: Path) -> bool:
        try:
            return compute_sha256(path, MAX_CHECKPOINT_BYTES, ModelError) == self.sha256
        except ModelError:
            return False

"""The training loop: steps, validations, and what is saved when."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from ...engine.context import RunContext
from ...engine.errors import Cancelled, ParameterError, UserError
from ...engine.models.domain import Domain
from ..backend import ProcessGroup, name_lack_of_memory
from ..checkpoint_io import save_checkpoint
from ..config import Config, class_names
from ..data import Batch, BatchLoader, ImageCache, prefetch_batches
from ..evaluation import (
    Predictor,
    SegmentationScores,
    SourceScores,
    line_buffer_pixels,
    network_function,
    predict_split,
    write_confusion,
)
from ..export.card import write_run_card
from ..optim import learning_rate
from .checkpoint_policy import new_bests, prune_archive, score
from .progress import ProgressDisplay, StepTimer
from .run_folder import RunFolder, RunLog, plot_curves
from .state import RunProgress, TrainState
from .step import TrainStep


@dataclass(frozen=True)
class TrainResult:
    """Result of a run.

    Attributes:
        folder: with all files of the run.
        progress: at the end of the run.
        images_per_second: over the steps since the start or resume, without the first one.
        compile_seconds: time of the first step, which compiles.
    """

    folder: RunFolder
    progress: RunProgress
    images_per_second: float
    compile_seconds: float


@dataclass(kw_only=True)
class Trainer:
    """Runs the steps and validations of a run and saves its states and checkpoints.

    Attributes:
        config: the run.
        folder: for the files of the run; the main process writes them.
        group: this process among those that train together.
        state: what changes during training.
        step: runs one optimizer step on ``state``.
        loader: makes the training batches.
        validation: validation images by name of their source; a single one has no name.
        display: shows the progress.
        total: steps of the whole run.
        validate_every: steps between validations.
        domain: statistics of the training images, for the card.
    """

    config: Config
    folder: RunFolder
    group: ProcessGroup
    state: TrainState
    step: TrainStep
    loader: BatchLoader
    validation: Mapping[str, ImageCache]
    display: ProgressDisplay
    total: int
    validate_every: int
    domain: Domain | None = None

    def __post_init__(self) -> None:
        self._timer = StepTimer(self.config.train.batch * self.config.optimizer.accumulate * self.group.size)

    def run(self, context: RunContext) -> TrainResult:
        """Run all steps that are left.

        Raises:
            Cancelled: the run was stopped; its state is saved.
        """
        config, progress, timer = self.config, self.state.progress, self._timer
        self.state.network.set_train(True)
        first = progress.step * config.optimizer.accumulate
        source = prefetch_batches(self.loader, first, config.data.threads, config.data.prefetch)
        stopped = False
        with RunLog(self.folder, progress.step, self.group.is_main) as log:
            while progress.step < self.total and not stopped:
                self._train_step(source, log)
                if progress.step % self.validate_every == 0 or progress.step == self.total:
                    stopped = self._validate_and_save(log)
                elif progress.step % config.train.save_every == 0:
                    self._save_last()
                if context.cancellation.requested:
                    self._save_last()
                    raise Cancelled(f"Stopped after step {progress.step}; --resume goes on from there.")
        if self.group.is_main:
            speed = {"images_per_second": timer.images_per_second, "compile_seconds": timer.compile_seconds}
            self.folder.write_json("summary.json", {**vars(progress), **speed})
            plot_curves(self.folder)
        monitor = config.train.monitor
        best = "none" if progress.best is None else f"{progress.best:.4f}"
        self.report(f"done: {progress.step} steps, best {monitor} {best} at step {progress.best_step}")
        if progress.best is None or math.isnan(progress.best):
            context.warn(f"{monitor} was not defined in any validation: the best weights are those of the first one.")
        return TrainResult(self.folder, progress, timer.images_per_second, timer.compile_seconds)

    def report(self, text: str) -> None:
        """Show a line and append it to the run's text log."""
        self.display.print(text)
        if self.group.is_main:
            self.folder.append_log(text)

    def validate(self) -> SourceScores:
        """Evaluate the weights on the validation images, which are shared out among the processes.

        Images are predicted at their own scale and without flips or turns, whatever the final evaluation averages.
        """
        config, network = self.config, self.state.network
        classes = max(2, config.network.num_classes)
        line_buffer = line_buffer_pixels(config)
        scores = SourceScores(
            {name: SegmentationScores(classes, config.data.ignore, line_buffer=line_buffer) for name in self.validation}
        )
        scales = config.evaluation.scales
        plain = replace(config.evaluation, flip=False, tta8=False, scales=scales if len(scales) == 1 else (1.0,))
        self.group.average_batch_norm(network)
        # Not compiled: a compiled forward pass may keep the weights that it saw first.
        predictor = Predictor(network_function(network, compiled=False), plain, config.normalisation)
        try:
            with self.state.averaged_weights():
                for name, images in self.validation.items():
                    for _, label, _, predicted in predict_split(images, predictor, self.group, limit=plain.limit):
                        scores.sources[name].add(label, predicted)
                    scores.sources[name].pool(self.group)
        finally:
            network.set_train(True)
        return scores

    def _learning_rate(self) -> float:
        """Learning rate of the next step."""
        schedule, state = self.config.schedule, self.state
        return learning_rate(schedule, self.config.optimizer.lr, state.progress.step, self.total, state.plateau.scale)

    def _train_step(self, source: Iterator[Batch], log: RunLog) -> None:
        """Run one step on the next batches of ``source``, log it and show it."""
        config, progress, timer = self.config, self.state.progress, self._timer
        scale, rate = self.state.loss_scale, self._learning_rate()
        requested = time.perf_counter()
        batches = list(islice(source, config.optimizer.accumulate))
        started = time.perf_counter()
        with name_lack_of_memory("a training step", "Lower train.batch or augment.crop."):
            result = self.step.run(batches, rate, progress.step)
        timer.add(time.perf_counter() - started)
        progress.step += 1
        progress.seconds += timer.last
        if math.isfinite(result.loss):
            progress.loss_sum += result.loss
            progress.loss_count += 1
        row: dict[str, float | int | str] = {
            "step": progress.step,
            "loss": repr(result.loss),
            "lr": f"{rate:.6g}",
            "grad_norm": f"{result.norm:.5g}",
            "loss_scale": scale.value,
            "overflows": scale.overflows,
            "seconds": f"{timer.last:.3f}",
            "images_per_second": f"{timer.images_per_second:.3f}",
            "data_seconds": f"{started - requested:.3f}",
        }
        mean = log.add_step(row, result.loss)
        text = f"loss {result.loss:.3f} (mean {mean:.4f}) · lr {rate:.2e} · "
        text += f"{timer.mean:.2f} s/step · {timer.images_per_second:.1f} images/s"
        if not result.applied:
            text += f" · overflow, loss scale now {scale.value:g}"
        as_line = progress.step % config.train.log_every == 0 or not result.applied
        self.display.update(progress.step, text, as_line)
        if as_line and self.group.is_main:
            self.folder.append_log(f"step {progress.step}: {text}")
        if timer.count == 1:
            action = "compiled and ran" if config.train.compile else "ran"
            self.report(f"{action} the first step in {timer.compile_seconds:.1f} s")

    def _validate_and_save(self, log: RunLog) -> bool:
        """Validate, save checkpoints and state, lower the rate on a plateau; return whether to stop."""
        config, state, progress = self.config, self.state, self.state.progress
        started = time.perf_counter()
        self._check_weights()
        scores = self.validate()
        metrics = scores.metrics()
        # All processes must take the same decisions, so each needs the mean loss of all.
        metrics["train_loss"] = self.group.mean(progress.loss_sum / max(1, progress.loss_count))
        seconds = time.perf_counter() - started
        monitor = config.train.monitor
        decision = state.plateau.update(score(monitor, metrics))
        if decision.is_best:
            progress.best, progress.best_step = metrics[monitor], progress.step
        progress.metrics, progress.loss_sum, progress.loss_count = metrics, 0.0, 0
        progress.seconds += seconds
        log.add_validation(progress.step, metrics, seconds, decision.is_best)
        listed = ", ".join(f"{key} {value:.4f}" for key, value in metrics.items())
        remark = " · best so far" if decision.is_best else ""
        self.report(f"validation at step {progress.step} ({seconds:.1f} s): {listed}{remark}")
        further = new_bests(config.train.keep_best, metrics, progress.bests)
        progress.bests.update(further)
        if self.group.is_main:
            bests = [self.folder.best] if decision.is_best else []
            bests += [self.folder.best_by(name) for name in further]
            self._save_checkpoints(scores, metrics, bests)
        if config.schedule.name == "plateau" and config.schedule.restore and decision.is_best:
            self._save_state(self.folder.best_state)
        if decision.drop:
            text = f"plateau: lr now {self._learning_rate():.2e}"
            if config.schedule.restore and self.folder.best_state.exists():
                # The network that is trained returns to the best weights and continues with the lower rate.
                state.restore_weights(self.folder.best_state)
                text += f", back to the weights of step {progress.best_step}"
            self.report(text)
        self._save_last()
        if decision.stop:
            self.report(f"no better {monitor} for {state.plateau.stale} validations: stopping")
        return decision.stop

    def _check_weights(self) -> None:
        """Raise ``ParameterError`` if a parameter is not finite: the statistics of a batch norm may be, unnoticed."""
        for name, value in self.state.weights().items():
            if not np.isfinite(value).all():
                crop, batch = self.config.augment.crop, self.config.train.batch
                raise ParameterError(
                    f"After step {self.state.progress.step} the parameter {name} is not finite: {batch} crops of "
                    f"{crop} x {crop} may leave a single value to the deepest batch norm.",
                    "Give a larger augment.crop or train.batch, or a lower optimizer.lr.",
                )

    def _save_checkpoints(self, scores: SourceScores, metrics: dict[str, float], bests: list[Path]) -> None:
        """Save the weights under the names ``bests``, each with its confusion matrix, and in the archive."""
        folder, config = self.folder, self.config
        for path in bests:
            save_checkpoint(path, self.state.weights())
            write_confusion(scores.matrix, class_names(config), path.with_name(f"confusion_{path.stem}.csv"))
        if folder.best in bests:
            try:
                write_run_card(folder.best, config, metrics, self.domain)
            except UserError as error:
                # A run without a model card is still a run: the card can be written when the model is exported.
                self.report(f"no model card: {error}")
        if config.train.archive:
            folder.archive.mkdir(exist_ok=True)
            save_checkpoint(folder.archive / f"step_{self.state.progress.step}.ckpt", self.state.weights())
            prune_archive(folder.archive, config.train.archive)

    def _save_state(self, path: Path) -> None:
        if self.group.is_main:
            self.state.save(path, self.config)

    def _save_last(self) -> None:
        self._save_state(self.folder.state)
        if self.group.is_main:
            save_checkpoint(self.folder.last, self.state.weights())

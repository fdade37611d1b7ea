"""The loop of a training run."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ...engine.context import Cancellation
from ...engine.errors import Cancelled, UserError
from ..data import Batch, batches
from ..evaluation.evaluator import Judgement, class_names, write_confusion
from ..export.card import write_run_card
from ..optim import learning_rate
from .checkpoint_policy import new_bests, prune, score
from .logs import Clock, Logs
from .progress import Display
from .run_folder import RunFolder, plot_run
from .state_files import save_weights
from .step import StepResult
from .train_state import Parts, Progress, put_back, save_run
from .validation import check, mean_over_ranks


@dataclass(frozen=True)
class Outcome:
    """What a run ended with.

    Attributes:
        folder: where everything is.
        progress: where it ended.
        images_per_second: over the steps of this sitting, the first one (compilation) left out.
        compile_seconds: of the first step.
    """

    folder: RunFolder
    progress: Progress
    images_per_second: float
    compile_seconds: float


class Runner:
    """Runs the steps, checks and saves of a run.

    Args:
        parts: what the run consists of.
        display: shows progress.
    """

    def __init__(self, parts: Parts, display: Display) -> None:
        self.parts = parts
        self.progress = parts.progress
        self.display = display
        config = parts.config
        self.clock = Clock(config.train.batch * config.optimizer.accumulate * parts.ranks.count)

    def run(self, cancellation: Cancellation) -> Outcome:
        """Run all steps that are left."""
        parts, config = self.parts, self.parts.config
        for note in parts.notes:
            self._say(note)
        parts.network.set_train(True)
        first = self.progress.step * config.optimizer.accumulate
        source = batches(parts.sampler, first, config.data.threads, config.data.prefetch)
        stopped = False
        with Logs(parts.folder, self.progress.step, parts.ranks.first) as logs:
            while self.progress.step < parts.total and not stopped:
                self._step(source, logs)
                done = self.progress.step
                if done % parts.check_every == 0 or done == parts.total:
                    stopped = self._check(logs)
                elif done % config.train.save_every == 0:
                    self._save_last()
                if cancellation.requested:
                    self._save_last()
                    raise Cancelled(f"Stopped after step {done}; --resume goes on from there.")
        return self._finish()

    def _say(self, text: str) -> None:
        """Show a line, and keep it in the run's log."""
        self.display.say(text)
        self._note(text)

    def _note(self, text: str) -> None:
        if self.parts.ranks.first:
            self.parts.folder.note(text)

    def rate(self) -> float:
        """The learning rate of the next step."""
        parts, config = self.parts, self.parts.config
        return learning_rate(config.schedule, config.optimizer.lr, self.progress.step, parts.total, parts.plateau.scale)

    def _step(self, source: Iterator[Batch], logs: Logs) -> None:
        rate = self.rate()
        waiting = time.perf_counter()
        group = list(islice(source, self.parts.config.optimizer.accumulate))
        started = time.perf_counter()
        result = self.parts.stepper.step(group, rate, self.progress.step)
        self.clock.step(time.perf_counter() - started)
        self.progress.step += 1
        self.progress.seconds += self.clock.last
        if math.isfinite(result.loss):
            self.progress.loss_sum += result.loss
            self.progress.loss_count += 1
        self._log(result, rate, logs, started - waiting)

    def _log(self, result: StepResult, rate: float, logs: Logs, waited: float) -> None:
        step, scale, clock = self.progress.step, self.parts.stepper.scale, self.clock
        row: dict[str, float | int | str] = {
            "step": step,
            "loss": repr(result.loss),
            "lr": f"{rate:.6g}",
            "grad_norm": f"{result.norm:.5g}",
            "loss_scale": scale.value,
            "overflows": scale.overflows,
            "seconds": f"{clock.last:.3f}",
            "images_per_second": f"{clock.rate:.3f}",
            "data_seconds": f"{waited:.3f}",
        }
        mean = logs.step(row, result.loss)
        text = f"loss {result.loss:.3f} (mean {mean:.4f}) · lr {rate:.2e} · "
        text += f"{clock.mean:.2f} s/step · {clock.rate:.1f} images/s"
        if not result.applied:
            text += f" · overflow, loss scale now {scale.value:g}"
        every = self.parts.config.train.log_every
        shown = step % every == 0 or not result.applied
        self.display.step(step, text, shown)
        if shown:
            self._note(f"step {step}: {text}")
        if clock.count == 1:
            self._say(f"compiled and ran the first step in {clock.compile_seconds:.1f} s")

    def _check(self, logs: Logs) -> bool:
        """Judge the weights on the monitor split; keep the best, drop the rate, say whether to stop."""
        parts, progress = self.parts, self.progress
        started = time.perf_counter()
        judgement = check(parts)
        figures = judgement.figures()
        # All ranks must come to the same decisions, so each needs the loss of all.
        figures["train_loss"] = mean_over_ranks(progress.loss_sum / max(1, progress.loss_count), parts.ranks)
        seconds = time.perf_counter() - started
        best, drop, stop = self._judge(figures)
        progress.figures, progress.loss_sum, progress.loss_count = figures, 0.0, 0
        progress.seconds += seconds
        logs.check(progress.step, figures, seconds, best)
        listed = ", ".join(f"{key} {value:.4f}" for key, value in figures.items())
        remark = " · best so far" if best else ""
        self._say(f"check at step {progress.step} ({seconds:.1f} s): {listed}{remark}")
        further = new_bests(parts.config.train.keep_best, figures, progress.bests)
        progress.bests.update(further)
        if parts.ranks.first:
            if best:
                self._keep(parts.folder.best, judgement)
                self._write_card(figures)
            for name in further:
                self._keep(parts.folder.best_of(name), judgement)
            self._archive()
        if best and parts.config.schedule.name == "plateau" and parts.config.schedule.restore:
            save_run(parts, parts.folder.best_state)
        if drop:
            self._drop()
        self._save_last()
        if stop:
            self._say(f"no better {parts.config.train.monitor} for {parts.plateau.stale} checks: stopping")
        return stop

    def _keep(self, path: Path, judgement: Judgement) -> None:
        """Keep the weights as the best by some figure, with the confusion matrix of the check."""
        save_weights(path, self.parts.weights())
        names = class_names(self.parts.config)
        write_confusion(judgement.matrix, names, path.with_name(f"confusion_{path.stem}.csv"))

    def _archive(self) -> None:
        """Keep the weights of this check in the archive, as many as the configuration says."""
        folder, count = self.parts.folder.archive, self.parts.config.train.archive
        if count:
            folder.mkdir(exist_ok=True)
            save_weights(folder / f"step_{self.progress.step}.ckpt", self.parts.weights())
            prune(folder, count)

    def _write_card(self, figures: dict[str, float]) -> None:
        """Write the card of the best weights; where that cannot be, training goes on without."""
        try:
            write_run_card(self.parts.folder.best, self.parts.config, figures)
        except UserError as error:
            self._say(f"no model card: {error}")

    def _judge(self, figures: dict[str, float]) -> tuple[bool, bool, bool]:
        """(best so far, drop the rate, stop) by the figure that the configuration names."""
        name = self.parts.config.train.monitor
        best, drop, stop = self.parts.plateau.update(score(name, figures))
        if best:
            self.progress.best, self.progress.best_step = figures[name], self.progress.step
        return best, drop, stop

    def _drop(self) -> None:
        """A plateau: go back to the best weights, in the very network that is trained, and on with a lower rate."""
        text = f"plateau: lr now {self.rate():.2e}"
        if self.parts.config.schedule.restore and self.parts.folder.best_state.exists():
            put_back(self.parts, self.parts.folder.best_state)
            text += f", back to the weights of step {self.progress.best_step}"
        self._say(text)

    def _save_last(self) -> None:
        save_run(self.parts, self.parts.folder.state)
        if self.parts.ranks.first:
            save_weights(self.parts.folder.last, self.parts.weights())

    def _finish(self) -> Outcome:
        folder, progress, clock = self.parts.folder, self.progress, self.clock
        if self.parts.ranks.first:
            speed = {"images_per_second": clock.rate, "compile_seconds": clock.compile_seconds}
            folder.write_json("summary.json", {**vars(progress), **speed})
            plot_run(folder)
        name = self.parts.config.train.monitor
        self._say(f"done: {progress.step} steps, best {name} {progress.best} at step {progress.best_step}")
        return Outcome(folder, progress, clock.rate, clock.compile_seconds)

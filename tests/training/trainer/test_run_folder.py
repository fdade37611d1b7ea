"""The run folder: one run at a time, and files that are complete or do not appear."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from terraspore.engine.errors import OutputBusyError, OutputError
from terraspore.engine.fs.lock import lock_folder
from terraspore.engine.models.checkpoint import read_checkpoint

pytest.importorskip("mindspore")
resource = pytest.importorskip("resource", reason="file-size limits are of Unix")
sys.path.insert(0, str(Path(__file__).parent))
from terraspore.training.checkpoint_io import save_checkpoint
from terraspore.training.trainer import run_training
from terraspore.training.trainer.progress import ProgressDisplay
from terraspore.training.trainer.state import read_state, write_state
from tiny_run import Tiny, tiny_config

pytestmark = pytest.mark.mindspore


def test_two_trainings_in_one_folder_are_refused(roads: Path, in_tmp: Path) -> None:
    out = in_tmp / "run"
    out.mkdir()
    with lock_folder(out), pytest.raises(OutputBusyError, match="another run"):
        run_training(tiny_config(roads), out, make_network=lambda chosen: Tiny(chosen.network.num_classes))
    assert list(out.iterdir()) == []


def test_files_that_no_run_has_written_are_not_replaced(roads: Path, in_tmp: Path) -> None:
    out = in_tmp / "run"
    out.mkdir()
    (out / "config.yaml").write_text("# of a person\n")
    with pytest.raises(OutputError, match="is not of a run"):
        run_training(tiny_config(roads), out, make_network=lambda chosen: Tiny(chosen.network.num_classes))
    assert {path.name: path.read_text() for path in out.iterdir()} == {"config.yaml": "# of a person\n"}


@pytest.mark.parametrize("step", [3, 8])
def test_a_folder_that_is_removed_ends_the_training_by_name(roads: Path, in_tmp: Path, step: int) -> None:
    """Step 3 fails to write a row of the log, step 8 the weights of a validation."""
    out = in_tmp / "run"

    class RemovingDisplay(ProgressDisplay):
        def update(self, done: int, text: str, as_line: bool) -> None:
            super().update(done, text, as_line)
            if done == step:
                shutil.rmtree(out)

    config = tiny_config(roads, "train.log_every=1000", "train.compile=false")
    with pytest.raises(OutputError, match=f"run folder {out} was removed") as caught:
        run_training(
            config,
            out,
            display=RemovingDisplay(config.train.steps),
            make_network=lambda chosen: Tiny(chosen.network.num_classes),
        )
    assert caught.value.exit_code == 2
    assert not out.exists()


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # of zipfile, which closes the file that it could not write
def test_state_and_weights_are_written_atomically(tmp_path: Path) -> None:
    """A file-size limit simulates a full disk: the previous files stay, without temporary ones."""
    state, weights = tmp_path / "state.npz", tmp_path / "last.ckpt"
    small, large = {"w": np.zeros(10, np.float32)}, {"w": np.zeros(1 << 20, np.float32)}
    write_state(state, {"net": small}, {"step": 1})
    save_checkpoint(weights, small)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    try:
        with pytest.raises(OutputError):
            write_state(state, {"net": large}, {"step": 2})
        with pytest.raises(OutputError):
            save_checkpoint(weights, large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.ckpt", "state.npz"]
    assert read_state(state)[1] == {"step": 1}
    assert read_checkpoint(weights)["w"].shape == (10,)

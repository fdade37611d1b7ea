"""Make land-cover labels of three aerial images of NEON, for the training of the drone model.

The wheel ``deepforest`` on PyPI (MIT) holds the images, at 0.1 m, with a box around each tree. The ellipse inside a box
is labelled as tree; in the first image, where all trees have boxes, ground far from them as low vegetation, sunlit or
in shadow. The rest is not labelled. The image of ``make demo-landcover`` is of the same site and is not used.

    pip download --no-deps deepforest==2.1.0 && unzip deepforest-2.1.0-*.whl
    python tools/neon_trees.py deepforest/data neon
"""

from __future__ import annotations

import argparse
import xml.etree.ElementTree as ET
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

#: Images, and from how many pixels outside its boxes on the ground is low vegetation; None where trees lack boxes.
IMAGES = {"2019_YELL_2_528000_4978000_image_crop2.png": 25, "SOAP_061.png": None, "OSBS_029.png": None}
#: Label values of the drone images of Houston (ISPRS's classes from 1 on).
LOW_VEGETATION, TREE = 3, 4


def main() -> None:
    """Write images and labels in the VOC layout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, help="folder deepforest/data of the unpacked wheel")
    parser.add_argument("out", type=Path, help="new folder for the data set")
    options = parser.parse_args()
    folder = options.out / "VOC2007"
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (folder / name).mkdir(parents=True)
    for name, distance in IMAGES.items():
        image = cv2.imread(str(options.images / name))
        if image is None:
            raise SystemExit(f"{options.images / name} cannot be read. Give the folder deepforest/data of the wheel.")
        label = label_trees(image.shape[:2], read_boxes(options.images / Path(name).with_suffix(".xml")), distance)
        stem = Path(name).stem
        cv2.imwrite(str(folder / "JPEGImages" / f"{stem}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 95])
        cv2.imwrite(str(folder / "SegmentationClass" / f"{stem}.png"), label)
    names = "".join(f"{Path(name).stem}\n" for name in IMAGES)
    (folder / "ImageSets" / "Segmentation" / "train.txt").write_text(names, encoding="utf-8")


def read_boxes(path: Path) -> NDArray[np.float64]:
    """Boxes (N, 4) of a file in the VOC format: xmin, ymin, xmax, ymax, pixels."""
    boxes = ET.parse(path).getroot().iter("bndbox")
    return np.array([[float(box.findtext(key) or 0) for key in ("xmin", "ymin", "xmax", "ymax")] for box in boxes])


def label_trees(shape: tuple[int, int], boxes: NDArray[np.float64], distance: int | None) -> NDArray[np.uint8]:
    """Label the ellipses inside boxes as trees, and ground away from all boxes as low vegetation.

    Args:
        shape: height and width of the image.
        boxes: (N, 4), pixels.
        distance: from how many pixels outside the boxes on; None for no ground at all.
    """
    label = np.zeros(shape, np.uint8)
    if distance is not None:
        free = np.ones(shape, np.uint8)
        for left, top, right, bottom in boxes.round().astype(int):
            free[max(0, top) : bottom, max(0, left) : right] = 0
        label[cv2.distanceTransform(free, cv2.DIST_L2, 5) > distance] = LOW_VEGETATION
    for left, top, right, bottom in boxes:
        centre = (round((left + right) / 2), round((top + bottom) / 2))
        axes = (max(1, round((right - left) / 2)), max(1, round((bottom - top) / 2)))
        cv2.ellipse(label, centre, axes, 0, 0, 360, (TREE,), -1)
    return label


if __name__ == "__main__":
    main()

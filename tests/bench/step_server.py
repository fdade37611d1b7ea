"""What the two programs have in common whose training steps are compared; needs NumPy only.

Each is a process that is ready after some steps, and then runs one step for each line that it reads, and answers with
wall and processor seconds. So steps of the two can alternate, while the other process sleeps.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

#: Classes of the networks that are compared.
CLASSES = {"dlinknet34": 1, "lednet": 2}
BATCH, SIZE = 4, 256
WARMUP = 3
READY = "ready"


def make_batch(network: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return random images (N, 3, H, W) and labels (N, H, W)."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(BATCH, 3, SIZE, SIZE)).astype(np.float32)
    return images, rng.integers(0, max(2, CLASSES[network]), (BATCH, SIZE, SIZE))


def serve(step: Callable[[], object]) -> None:
    """Run a step for each line of stdin."""
    for _ in range(WARMUP):
        step()
    print(READY, flush=True)
    for _ in sys.stdin:
        wall, processor = time.perf_counter(), time.process_time()
        step()
        print(time.perf_counter() - wall, time.process_time() - processor, flush=True)

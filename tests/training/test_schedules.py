"""Learning-rate schedules and reduction on a plateau, against values computed by hand."""

import math

import pytest

pytest.importorskip("mindspore")

from terraspore.training.config import ScheduleConfig
from terraspore.training.optim import Plateau, learning_rate


def rate(step: int, total: int = 100, dropped: float = 1.0, **values: object) -> float:
    return learning_rate(ScheduleConfig(**values), 0.1, step, total, dropped)


def test_warmup_rises_to_the_peak() -> None:
    assert [rate(s, name="constant", warmup=4) for s in range(6)] == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1, 0.1])


def test_cosine() -> None:
    assert rate(0, name="cosine") == pytest.approx(0.1)
    assert rate(50, name="cosine") == pytest.approx(0.05)
    assert rate(25, name="cosine") == pytest.approx(0.1 * (1 + math.sqrt(0.5)) / 2)
    assert rate(100, name="cosine") == pytest.approx(0, abs=1e-12)
    assert rate(100, name="cosine", floor=0.001) == pytest.approx(1e-4)
    assert rate(60, name="cosine", warmup=20) == pytest.approx(0.05)


def test_poly_and_step() -> None:
    assert rate(50, name="poly", power=0.9) == pytest.approx(0.1 * 0.5**0.9)
    assert [rate(s, name="step", every=20, factor=0.1) for s in (0, 19, 20, 45)] == pytest.approx(
        [0.1, 0.1, 0.01, 0.001]
    )


def test_schedules_start_after_the_warmup() -> None:
    assert rate(60, name="poly", warmup=20, power=2.0) == pytest.approx(0.1 * 0.25)
    assert rate(60, name="poly", warmup=20, power=2.0, floor=0.2) == pytest.approx(0.1 * (0.2 + 0.8 * 0.25))
    assert [rate(s, name="step", warmup=5, every=10, factor=0.5) for s in (14, 15)] == pytest.approx([0.1, 0.05])
    # DGCNet's last step of 62,475: 0.01 (1 / 62475)^0.9.
    last = learning_rate(ScheduleConfig(name="poly", power=0.9), 0.01, 62474, 62475)
    assert last == pytest.approx(0.01 * (1 / 62475) ** 0.9)
    assert last == pytest.approx(4.82908e-7, rel=1e-4)


def test_plateau_uses_its_factor_down_to_the_floor() -> None:
    assert rate(5, name="plateau", dropped=0.2) == pytest.approx(0.02)
    assert rate(5, name="plateau", floor=0.05, dropped=0.2) == pytest.approx(0.05)


def test_plateau_resets_its_counter_after_a_drop() -> None:
    watch = Plateau(patience=2, stop_after=6, factor=0.5)
    updates = [watch.update(score) for score in (1, 2, 1, 1, 1, 1, 1)]
    assert [best for best, _, _ in updates] == [True, True, False, False, False, False, False]
    assert [drop for _, drop, _ in updates] == [False, False, False, True, False, True, False]
    assert watch.scale == 0.25
    assert watch.update(1) == (False, True, True)
    assert watch.update(3) == (True, False, False)


def test_plateau_continues_from_its_state() -> None:
    one, two = Plateau(2, 0, 0.5), Plateau(2, 0, 0.5)
    for score in (1, 0.5):
        one.update(score)
    two.restore(one.state())
    assert [one.update(0.4), one.update(2)] == [two.update(0.4), two.update(2)]
    assert one == two

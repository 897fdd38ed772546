"""What a longer training is expected to give, from what shorter ones gave."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.learning_curve import POWER, expected_psnr, long_training_steps
from nas.successive_halving import Rung

RUNGS = (Rung(400, 25.0, 4.0), Rung(1600, 25.25, 12.0))


@given(st.floats(20, 40), st.floats(0, 20), st.integers(2, 10_000), st.integers(1, 10), st.integers(1, 100))
def test_curve_of_that_form_is_continued_exactly(
    limit: float, scale: float, first: int, more: int, longer: int
) -> None:
    def psnr(steps: float) -> float:
        return limit - scale * steps**-POWER

    steps = (first, first + more * first)
    curve = [Rung(each, psnr(each), 1.0) for each in steps]
    assert expected_psnr(curve, steps[1] * longer) == pytest.approx(psnr(steps[1] * longer), abs=1e-6)
    assert expected_psnr(curve, math.inf) == pytest.approx(limit, abs=1e-6)


def test_fourfold_training_gains_three_quarters_of_the_last_one() -> None:
    assert expected_psnr(RUNGS, 6400) == pytest.approx(25.25 + 0.25 * 4**-POWER)
    assert pytest.approx(0.76, abs=0.01) == 4**-POWER


def test_what_learns_slowly_comes_to_more() -> None:
    flatters = (Rung(400, 25.2, 4.0), Rung(1600, 25.42, 12.0))
    slow = (Rung(400, 25.1, 4.0), Rung(1600, 25.40, 12.0))
    assert flatters[-1].psnr > slow[-1].psnr
    assert expected_psnr(flatters, 16 * 1600) < expected_psnr(slow, 16 * 1600)


@pytest.mark.parametrize(
    ("rungs", "steps", "expected"),
    [
        (RUNGS[:1], 6400, 25.0),
        (RUNGS, 1600, 25.25),
        (RUNGS, 10, 25.25),
        ((Rung(400, 25.0, 4.0), Rung(1600, 24.5, 12.0)), 6400, 24.5),
        ((Rung(0, 20.0, 0.0), Rung(1600, 25.25, 12.0)), 6400, 25.25),
    ],
)
def test_without_a_gain_the_last_psnr_stands(rungs: tuple[Rung, ...], steps: int, expected: float) -> None:
    assert expected_psnr(rungs, steps) == expected


def test_steps_of_the_long_training_follow_the_networks_own_pace() -> None:
    assert long_training_steps(RUNGS, 100.0) == 10_000
    assert long_training_steps(RUNGS, 100.0, steps=5000) == 5000
    assert long_training_steps(RUNGS, 1.0) == 1600
    assert long_training_steps((Rung(0, 20.0, 0.0),), 100.0) == 0
    assert math.isinf(long_training_steps(RUNGS, math.inf))

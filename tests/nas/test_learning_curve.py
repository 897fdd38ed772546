"""What a longer training is expected to give, from what shorter ones gave."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.learning_curve import FADING, POWER, expected_psnr, gain_of, long_training_steps
from nas.successive_halving import Rung

RUNGS = (Rung(400, 25.0, 4.0), Rung(1600, 25.25, 12.0))


@given(st.floats(20, 40), st.floats(0, 20), st.integers(2, 10_000), st.integers(1, 10), st.integers(1, 100))
def test_usual_curve_is_continued_exactly(limit: float, scale: float, first: int, more: int, longer: int) -> None:
    def psnr(steps: float) -> float:
        return limit - scale * steps**-POWER

    steps = (first, first + more * first)
    curve = [Rung(each, psnr(each), 1.0) for each in steps]
    usual = gain_of(curve)
    assert expected_psnr(curve, steps[1] * longer, usual) == pytest.approx(psnr(steps[1] * longer), abs=1e-6)
    assert expected_psnr(curve, math.inf, usual) == pytest.approx(limit, abs=1e-6)


def test_fourfold_training_gains_half_of_the_last_one() -> None:
    assert expected_psnr(RUNGS, 6400, 0.25) == pytest.approx(25.25 + 0.25 * 4**-POWER)
    assert pytest.approx(0.5, abs=0.01) == 4**-POWER


def test_what_was_gained_beyond_the_usual_fades_sooner() -> None:
    assert expected_psnr(RUNGS, 6400, 0.15) == pytest.approx(25.25 + 0.15 * 4**-POWER + 0.10 * 4**-FADING)
    assert pytest.approx(0.35, abs=0.01) == 4**-FADING


PSNR = st.floats(20, 30)


@given(st.tuples(PSNR, PSNR), st.tuples(PSNR, PSNR), st.floats(0, 1), st.floats(1, 100))
def test_usual_gain_turns_no_order(
    one: tuple[float, float], other: tuple[float, float], usual: float, longer: float
) -> None:
    curves = [(Rung(312, first, 1.0), Rung(1247, last, 4.0)) for first, last in (one, other)]
    bare, usually = ([expected_psnr(curve, longer * 1247, gain) for curve in curves] for gain in (0.0, usual))
    assert usually[0] - usually[1] == pytest.approx(bare[0] - bare[1], abs=1e-9)


def test_head_start_of_an_image_skip_is_not_taken_for_slow_learning() -> None:
    """As two candidates of a search came out; after 22,000 steps the first had 25.97, relatives of the other 26.04."""
    nearest = (Rung(312, 24.83, 4.0), Rung(1247, 25.27, 12.0))
    bicubic = (Rung(312, 25.03, 4.0), Rung(1247, 25.35, 12.0))
    assert expected_psnr(bicubic, 22_000) > expected_psnr(nearest, 22_000)


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

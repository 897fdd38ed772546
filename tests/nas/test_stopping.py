"""When a search stops by itself: a volume that no longer grows, counted in different networks."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from nas.stopping import StoppingState, stopping_state
from nas.trial import Trial
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import MSRRESNET, repeated
from sr.pareto import hypervolume

Outcome = Callable[[int, Architecture], Trial]
# So many trained candidates fix the corner.
CORNER_TRIALS = 8
GROWING = [repeated(8, "branched_conv", count) for count in range(1, CORNER_TRIALS + 1)]


@pytest.fixture
def begun(outcome: Outcome) -> list[Trial]:
    return [outcome(number, architecture) for number, architecture in enumerate(GROWING)]


def with_psnr(trial: Trial, number: int, psnr: float) -> Trial:
    assert trial.measurement is not None
    assert trial.measurement.quality is not None
    quality = replace(trial.measurement.quality, psnr=psnr)
    return replace(trial, number=number, measurement=replace(trial.measurement, quality=quality))


def test_search_before_its_corner_is_fixed_is_not_judged(begun: list[Trial], outcome: Outcome) -> None:
    over = [outcome(number, MSRRESNET) for number in range(90)]
    assert stopping_state([*over, *begun[:-1]], 100.0, patience=5) == StoppingState(0, 5, 0.0)
    assert stopping_state(begun, 100.0, patience=5).volume > 0
    assert not stopping_state([], 100.0, patience=1).is_met


def test_patience_is_counted_in_different_networks(begun: list[Trial], outcome: Outcome) -> None:
    over = [outcome(8 + number, MSRRESNET) for number in range(6)]
    waiting = stopping_state([*begun, *over[:4]], 100.0, patience=5)
    assert (waiting.since, waiting.is_met) == (4, False)
    assert waiting.describe().startswith("4 candidates since the hypervolume grew by 0.1 %; 1 more")
    ended = stopping_state([*begun, *over[:5]], 100.0, patience=5)
    assert ended.is_met
    assert ended.describe() == "stopped: the hypervolume grew by less than 0.1 % over the last 5 candidates"
    repeats = [replace(trial, duplicate_of=0) for trial in over]
    assert stopping_state([*begun, *repeats], 100.0, patience=5).since == 0


def test_gain_starts_the_count_again_and_a_crumb_does_not(begun: list[Trial], outcome: Outcome) -> None:
    over = [outcome(8 + number, MSRRESNET) for number in range(3)]
    best = begun[-1]
    crumb = with_psnr(best, 11, best.psnr + 1e-7)
    assert stopping_state([*begun, *over, crumb], 100.0).since == 4
    gain = with_psnr(best, 12, best.psnr + 0.1)
    better = stopping_state([*begun, *over, crumb, gain], 100.0)
    assert better.since == 0
    assert better.volume > stopping_state([*begun, *over, crumb], 100.0).volume > 0


def test_volume_never_shrinks(begun: list[Trial], outcome: Outcome) -> None:
    more = [
        outcome(8 + number, repeated(width, "branched_conv", 3)) for number, width in enumerate((8, 48, 16, 64, 32))
    ]
    trials = [*begun, *more]
    volumes = [stopping_state(trials[:count], 100.0).volume for count in range(len(trials) + 1)]
    assert volumes == sorted(volumes)
    assert volumes[-1] > volumes[CORNER_TRIALS]


def test_volume_reaches_to_the_corner_of_the_first_candidates(begun: list[Trial], outcome: Outcome) -> None:
    """Their worst PSNR, the budget, and the activations that fill it: the fixture takes 10 ms for each million."""
    corner = (-min(trial.psnr for trial in begun), 100.0, 1e7)
    later = outcome(8, repeated(32, "branched_conv", 3))
    for trials in (begun, [*begun, later]):
        expected = hypervolume([trial.objectives for trial in trials], corner)
        assert stopping_state(trials, 100.0).volume == pytest.approx(expected)


def test_patience_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="got 0"):
        stopping_state([], 100.0, patience=0)

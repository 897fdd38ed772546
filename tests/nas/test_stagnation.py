from collections.abc import Callable
from dataclasses import replace

import pytest

from nas.stagnation import CORNER_TRIALS, corner_of, progress
from nas.trial import Trial
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import MSRRESNET, repeated

Outcome = Callable[[int, Architecture], Trial]
LADDER = [repeated(8, "branched_conv", count) for count in range(1, CORNER_TRIALS + 1)]


@pytest.fixture
def begun(outcome: Outcome) -> list[Trial]:
    return [outcome(number, architecture) for number, architecture in enumerate(LADDER)]


def with_psnr(trial: Trial, number: int, psnr: float) -> Trial:
    assert trial.measurement is not None
    assert trial.measurement.quality is not None
    quality = replace(trial.measurement.quality, psnr=psnr)
    return replace(trial, number=number, measurement=replace(trial.measurement, quality=quality))


def test_nothing_is_judged_before_the_corner_is_fixed(begun: list[Trial], outcome: Outcome) -> None:
    over = [outcome(number, MSRRESNET) for number in range(90)]
    assert progress([*over, *begun[:-1]], 100.0, patience=5).since == 0
    assert not progress([], 100.0, patience=1).stagnates


def test_patience_is_counted_in_different_networks(begun: list[Trial], outcome: Outcome) -> None:
    over = [outcome(8 + number, MSRRESNET) for number in range(6)]
    waiting = progress([*begun, *over[:4]], 100.0, patience=5)
    assert (waiting.since, waiting.stagnates) == (4, False)
    assert waiting.line.startswith("4 candidates since the hypervolume grew by 0.1 %; 1 more")
    ended = progress([*begun, *over[:5]], 100.0, patience=5)
    assert ended.stagnates
    assert ended.line == "stopped: the hypervolume grew by less than 0.1 % over the last 5 candidates"
    repeats = [replace(trial, duplicate_of=0) for trial in over]
    assert progress([*begun, *repeats], 100.0, patience=5).since == 0


def test_a_gain_starts_the_count_again_and_a_crumb_does_not(begun: list[Trial], outcome: Outcome) -> None:
    over = [outcome(8 + number, MSRRESNET) for number in range(3)]
    best = begun[-1]
    crumb = with_psnr(best, 11, best.psnr + 1e-7)
    assert progress([*begun, *over, crumb], 100.0).since == 4
    gain = with_psnr(best, 12, best.psnr + 0.1)
    better = progress([*begun, *over, crumb, gain], 100.0)
    assert better.since == 0
    assert better.volume > progress([*begun, *over, crumb], 100.0).volume > 0


def test_the_volume_never_shrinks(begun: list[Trial], outcome: Outcome) -> None:
    more = [
        outcome(8 + number, repeated(width, "branched_conv", 3)) for number, width in enumerate((8, 48, 16, 64, 32))
    ]
    trials = [*begun, *more]
    volumes = [progress(trials[:count], 100.0).volume for count in range(len(trials) + 1)]
    assert volumes == sorted(volumes)
    assert volumes[-1] > volumes[CORNER_TRIALS]


def test_the_corner_by_hand(begun: list[Trial]) -> None:
    psnr, runtime_ms, activations = corner_of(begun, 100.0)
    assert -psnr == min(trial.psnr for trial in begun)
    assert runtime_ms == 100.0
    # The fixture takes 10 ms for each million.
    assert activations == pytest.approx(1e7)


def test_a_patience_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="got 0"):
        progress([], 100.0, patience=0)

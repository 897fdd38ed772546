"""What the runtime of a candidate is worth: within, over, or put off while the device is busy."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from nas.candidate_verdicts import CandidateVerdicts
from nas.trial import Trial
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import MSRRESNET, repeated
from sr.progress import Event, Phase

Outcome = Callable[[int, Architecture], Trial]
SMALL = repeated(8, "branched_conv", 1)
# What the reference of every outcome takes, and under which load the smallest network is over the budget.
CALM_MS, LOAD = 5.0, 200.0


class Device:
    """Measures as outcomes say, `load` times slower: by what other processes do, or `alone` by itself."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome, self.load, self.alone = outcome, 1.0, False

    def __call__(self, number: int, architecture: Architecture) -> Trial:
        trial = self._outcome(number, architecture)
        measured = trial.measurement
        assert measured is not None
        assert measured.reference_ms is not None
        ran = measured.runtime
        slower = replace(
            ran, median_ms=self.load * ran.median_ms, p10_ms=self.load * ran.p10_ms, p90_ms=self.load * ran.p90_ms,
            disturbed=self.load > 1 and not self.alone,
        )  # fmt: skip
        measured = replace(measured, runtime=slower, reference_ms=self.load * measured.reference_ms, quality=None)
        return replace(trial, state="measured", measurement=measured)


@pytest.fixture
def device(outcome: Outcome) -> Device:
    return Device(outcome)


def test_calm_device_decides_at_once(device: Device) -> None:
    said = list[Event]()
    verdicts = CandidateVerdicts(device, 100.0, CALM_MS, said.append)
    within, over = verdicts.of(0, SMALL, []), verdicts.of(1, MSRRESNET, [])
    assert (within.state, within.reason, over.state) == ("measured", "", "infeasible")
    assert over.reason.endswith("is over the budget of 100 ms")
    assert said == [Phase(f"trial 0: measuring {SMALL.summary}"), Phase(f"trial 1: measuring {MSRRESNET.summary}")]


def test_what_could_not_be_measured_stays_what_it_is() -> None:
    failed = Trial(0, SMALL, "failed", None, "no memory", 1.0)
    assert CandidateVerdicts(lambda *_: failed, 100.0).of(0, SMALL, []) == failed


def test_busy_device_puts_off_and_the_seconds_add_up(device: Device) -> None:
    verdicts = CandidateVerdicts(device, 100.0, CALM_MS)
    device.load = LOAD
    first, second = (verdicts.of(number, SMALL, []) for number in range(2))
    assert (first.state, second.state) == ("put off", "put off")
    assert verdicts.least_measured([second, first]) == first
    again = verdicts.again(first, [])
    assert (again.state, again.seconds) == ("put off", first.seconds + second.seconds)
    assert verdicts.least_measured([first, second]) == second
    device.load = 1.0
    calm = verdicts.again(second, [])
    assert (calm.state, calm.reason) == ("measured", "")


@pytest.mark.parametrize(("alone", "times"), [(False, 4), (True, 2)])
def test_device_that_is_never_calm_gets_the_likelier_verdict_after_some_measurements(
    device: Device, *, alone: bool, times: int
) -> None:
    verdicts = CandidateVerdicts(device, 100.0, CALM_MS)
    device.load, device.alone = LOAD, alone
    trial = verdicts.of(0, SMALL, [])
    for _ in range(times - 1):
        assert trial.state == "put off"
        trial = verdicts.again(trial, [])
    assert trial.state == "measured"


def test_of_doubtful_runtimes_the_median_decides(device: Device) -> None:
    """One reading in which the load met the reference alone made a third of a runtime of it."""
    verdicts = CandidateVerdicts(device, 100.0, CALM_MS)
    device.load = LOAD
    trial = verdicts.of(0, SMALL, [])
    first_ms = trial.calm_ms
    assert first_ms is not None
    device.load = 3 * LOAD
    doubtful = replace(trial, calm_ms=first_ms / 3)
    resumed = CandidateVerdicts(device, 100.0, CALM_MS)
    for _ in range(2):
        doubtful = resumed.again(doubtful, [])
    assert doubtful.calm_ms == pytest.approx(first_ms)

"""That a plan keeps to the time, to what is asked for, and to the least of every phase."""

import math

from hypothesis import given
from hypothesis import strategies as st

from prune.planning.time_plan import (
    DEFAULT_SECONDS,
    LEAST_FINE_TUNING,
    LEAST_ROUNDS,
    LEAST_TICK,
    LEAST_TOCK,
    MOST_FINE_TUNING,
    Speeds,
    Steps,
    describe,
    fitting,
    phases,
    planned,
)

STEP = st.floats(1e-4, 2.0)
SPEEDS = st.builds(Speeds, STEP, STEP, STEP, st.floats(0, 20), st.floats(0, 100), st.floats(0, 200))
ASKED = st.fixed_dictionaries(
    {},
    optional={
        "rounds": st.integers(1, 12), "tick": st.integers(1, 60), "tock": st.integers(1, 200),
        "fine_tune": st.integers(0, 5000),
    },
)  # fmt: skip
LEAST = Steps(LEAST_ROUNDS, LEAST_TICK, LEAST_TOCK, LEAST_FINE_TUNING)
FAST = Speeds(0.01, 0.01, 0.01, 1.0, 20.0, 60.0)


@given(ASKED, SPEEDS, st.integers(1, 5), st.floats(1, 1e5))
def test_a_plan_is_within_the_time_unless_it_is_the_least(
    asked: dict[str, int], speeds: Speeds, methods: int, seconds: float
) -> None:
    plan = planned(asked, speeds, methods, seconds, seconds)
    least = Steps(**{**LEAST.__dict__, **asked})
    assert phases(plan, speeds, methods).total <= seconds or plan == least


@given(ASKED, SPEEDS, st.integers(1, 5), st.floats(1, 1e5))
def test_every_phase_gets_its_least_and_what_is_asked_for_is_kept(
    asked: dict[str, int], speeds: Speeds, methods: int, seconds: float
) -> None:
    plan = planned(asked, speeds, methods, seconds, seconds)
    for name, least in LEAST.__dict__.items():
        assert getattr(plan, name) == asked[name] if name in asked else getattr(plan, name) >= least


@given(SPEEDS, st.integers(1, 5), st.floats(1, 1e4))
def test_with_more_time_no_less_is_done(speeds: Speeds, methods: int, seconds: float) -> None:
    short, long = (planned({}, speeds, methods, each, each) for each in (seconds, 2 * seconds))
    for name in ("rounds", "tick", "tock"):
        assert getattr(long, name) >= getattr(short, name)


def test_without_a_limit_all_is_done() -> None:
    assert planned({}, FAST, 3, math.inf, math.inf) == Steps()


def test_what_is_left_of_a_long_time_goes_into_fine_tuning() -> None:
    short = planned({}, FAST, 3, DEFAULT_SECONDS, DEFAULT_SECONDS)
    long = planned({}, FAST, 3, 4 * DEFAULT_SECONDS, 4 * DEFAULT_SECONDS)
    assert short == Steps()
    assert (long.rounds, long.tick, long.tock) == (short.rounds, short.tick, short.tock)
    assert long.fine_tune == 4 * MOST_FINE_TUNING


def test_fine_tuning_fits_between_the_least_and_the_most() -> None:
    assert fitting(100.0, 0.5, DEFAULT_SECONDS) == 200
    assert fitting(-5.0, 0.5, DEFAULT_SECONDS) == LEAST_FINE_TUNING
    assert fitting(1e9, 0.5, DEFAULT_SECONDS) == MOST_FINE_TUNING
    assert fitting(math.inf, 0.5, math.inf) == MOST_FINE_TUNING


def test_a_plan_is_told_in_minutes_per_phase() -> None:
    (line,) = describe(Steps(4, 30, 100, 500), FAST, 3, left=800.0, limit=900.0)
    assert line == (
        "plan: 4 rounds of 30 + 100 steps by 3 methods 28 s, measuring the last steps 1 m 00 s, fine-tuning 4 networks "
        "by 500 steps 20 s, comparing and exporting 1 m 00 s; about 2 m 48 s at most"
    )


def test_a_plan_beyond_the_limit_is_told() -> None:
    lines = describe(Steps(fine_tune=0), FAST, 1, left=60.0, limit=90.0)
    assert "fine-tuning" not in lines[0]
    assert lines[1] == "that is more than what is left of 1 m 30 s: 1 m 00 s; it is done all the same"

"""What is left of the rounds where the time runs out."""

from hypothesis import given
from hypothesis import strategies as st

from prune.scoring.pace import Pace, slowed

LEAST = (10, 20)
PACES = st.builds(Pace, st.integers(1, 12), st.integers(10, 60), st.integers(20, 200))
GIVEN = st.sets(st.sampled_from(["rounds", "tick_steps", "tock_steps"]))


def test_fewer_rounds_come_before_shorter_ones() -> None:
    assert slowed(Pace(8, 30, 100), 10.0, 80.0, least=LEAST) == Pace(8, 30, 100)
    assert slowed(Pace(8, 30, 100), 10.0, 35.0, least=LEAST) == Pace(3, 30, 100)
    assert slowed(Pace(8, 30, 100), 10.0, 5.0, least=LEAST) == Pace(1, 15, 50)


@given(PACES, st.floats(0.01, 100), st.floats(-10, 1000), GIVEN)
def test_it_never_becomes_more_nor_less_than_the_least(
    left: Pace, round_seconds: float, seconds: float, given: set[str]
) -> None:
    found = slowed(left, round_seconds, seconds, given=given, least=LEAST)
    assert 1 <= found.rounds <= left.rounds
    assert LEAST[0] <= found.tick_steps <= left.tick_steps
    assert LEAST[1] <= found.tock_steps <= left.tock_steps
    assert all(getattr(found, name) == getattr(left, name) for name in given)


@given(PACES, st.floats(0.01, 100), st.floats(1, 1000))
def test_whole_rounds_that_fit_keep_to_the_time(left: Pace, round_seconds: float, seconds: float) -> None:
    found = slowed(left, round_seconds, seconds, least=LEAST)
    if round_seconds <= seconds:
        assert found.rounds * round_seconds <= seconds * (1 + 1e-9)
        assert (found.tick_steps, found.tock_steps) == (left.tick_steps, left.tock_steps)

"""The learning rate of an entry, by short trainings that are done once."""

import pytest

from baselines.league.entries import Entry
from baselines.league.learning_rate import Choice, choose, rates_left
from baselines.league.setup import Setup
from sr.progress import Event, Step

pytestmark = pytest.mark.numeric


def test_the_best_psnr_decides_and_the_lower_rate_where_two_are_equal() -> None:
    assert Choice(((1e-3, 20.0), (3e-3, 21.0), (6e-3, 20.5))).best == 3e-3
    assert Choice(((1e-3, 21.0), (3e-3, 21.0), (6e-3, None))).best == 1e-3
    assert Choice(((1e-3, None), (3e-3, None))).best == 1e-3


def test_every_rate_is_tried_once_and_remembered(by_hand: Entry, setup: Setup) -> None:
    events: list[Event] = []
    assert rates_left(by_hand, setup) == 2
    choice = choose(by_hand, setup.recipe, setup, events.append)
    assert [rate for rate, _ in choice.psnr] == list(setup.rates)
    assert {event.label.split(" at ")[1] for event in events if isinstance(event, Step)} == {
        "a learning rate of 0.001", "a learning rate of 0.003",
    }  # fmt: skip
    assert rates_left(by_hand, setup) == 0
    events.clear()
    assert choose(by_hand, setup.recipe, setup, events.append) == choice
    assert events == []

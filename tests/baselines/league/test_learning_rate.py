"""The learning rate of an entry, by short trainings that are done once."""

import pytest

from baselines.league.entries import Entry
from baselines.league.learning_rate import Choice, at_middle_rate, choose, known_choice, rates_left, short_recipe
from baselines.league.setup import Setup
from sr.errors import InputError
from sr.progress import Event, Step
from sr.training.recipe import Recipe

pytestmark = pytest.mark.numeric


def test_the_best_psnr_decides_and_the_lower_rate_where_two_are_equal() -> None:
    assert Choice(((1e-3, 20.0), (3e-3, 21.0), (6e-3, 20.5))).best == 3e-3
    assert Choice(((1e-3, 21.0), (3e-3, 21.0), (6e-3, None))).best == 1e-3
    assert Choice(((1e-3, None), (3e-3, None))).best == 1e-3


def test_a_short_training_is_a_quarter_and_warms_up_in_a_fifth_of_it_at_most() -> None:
    short = short_recipe(Recipe(steps=1000))
    assert (short.steps, short.warmup_steps) == (250, 50)
    assert short_recipe(Recipe(steps=4)).steps == 1


def test_every_rate_is_tried_once_and_remembered(by_hand: Entry, setup: Setup) -> None:
    events: list[Event] = []
    assert (known_choice(by_hand, setup), rates_left(by_hand, setup)) == (None, 2)
    middle = at_middle_rate(by_hand, setup.recipe, setup, events.append)
    assert (known_choice(by_hand, setup), rates_left(by_hand, setup)) == (None, 1)
    choice = choose(by_hand, setup.recipe, setup, events.append)
    assert [rate for rate, _ in choice.psnr] == list(setup.rates)
    assert dict(choice.psnr)[3e-3] == middle
    assert {event.label.split(" at ")[1] for event in events if isinstance(event, Step)} == {
        "a learning rate of 0.001", "a learning rate of 0.003",
    }  # fmt: skip
    events.clear()
    assert choose(by_hand, setup.recipe, setup, events.append) == choice == known_choice(by_hand, setup)
    assert events == []


def test_a_broken_file_is_refused(by_hand: Entry, setup: Setup) -> None:
    choose(by_hand, setup.recipe, setup)
    path, _ = (setup.folder / "rates").iterdir()
    path.write_text("{}")
    with pytest.raises(InputError, match="holds no PSNR of a short training"):
        known_choice(by_hand, setup)

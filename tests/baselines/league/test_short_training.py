"""A short training is done once and kept."""

from dataclasses import replace

import pytest

from baselines.league.entries import Entry
from baselines.league.setup import Setup
from baselines.league.short_training import is_done, short_psnr, short_recipe, train_shortly
from sr.errors import InputError
from sr.files import write_json
from sr.measure.quality import bicubic_quality
from sr.progress import Event
from sr.training.recipe import Recipe

pytestmark = pytest.mark.numeric


def test_a_short_training_is_a_quarter_and_warms_up_in_a_fifth_of_it_at_most() -> None:
    short = short_recipe(Recipe(steps=1000))
    assert (short.steps, short.warmup_steps) == (250, 50)
    assert short_recipe(Recipe(steps=4)).steps == 1


def test_it_is_done_once_for_each_rate(by_hand: Entry, setup: Setup) -> None:
    events: list[Event] = []
    recipe = replace(setup.recipe, learning_rate=1e-3)
    assert short_psnr(by_hand, 1e-3, setup) is None
    psnr = train_shortly(by_hand, recipe, setup, events.append)
    assert psnr is not None
    # After a step it is the interpolated picture still, but for what was solved for.
    assert abs(psnr - bicubic_quality(setup.train.centre_crops(96, 20), setup.target.device).psnr) < 3
    assert psnr == short_psnr(by_hand, 1e-3, setup)
    assert (is_done(by_hand, 1e-3, setup), is_done(by_hand, 3e-3, setup)) == (True, False)
    events.clear()
    assert train_shortly(by_hand, recipe, setup, events.append) == psnr
    assert events == []


def test_one_that_failed_is_known_too_and_a_broken_file_is_refused(by_hand: Entry, setup: Setup) -> None:
    train_shortly(by_hand, setup.recipe, setup)
    (path,) = (setup.folder / "rates").iterdir()
    write_json(path, {"title": by_hand.title, "psnr": None})
    assert is_done(by_hand, 3e-3, setup)
    assert train_shortly(by_hand, setup.recipe, setup) is None
    path.write_text("{}")
    with pytest.raises(InputError, match="holds no PSNR of a short training"):
        short_psnr(by_hand, 3e-3, setup)

"""A training of an entry: kept, judged on new pictures without being repeated, and begun again where it fails."""

from dataclasses import replace

import pytest
import torch

from baselines.league.entries import Entry, of_size
from baselines.league.learning_rate import choose
from baselines.league.record import path_of
from baselines.league.setup import Setup
from baselines.league.training import is_trained, train
from sr.checkpoint import load, load_network
from sr.files import write_json
from sr.measure.quality import evaluate
from sr.progress import Event, Message, Step

pytestmark = pytest.mark.numeric


def test_a_training_leaves_its_result_and_the_deployed_network(by_hand: Entry, setup: Setup) -> None:
    recipe = replace(setup.recipe, seed=1)
    result = train(by_hand, recipe, setup)
    path = path_of(by_hand, 4, 1, setup)
    assert is_trained(by_hand, 1, setup)
    assert not is_trained(by_hand, 0, setup)
    assert (result.steps, result.seed, result.learning_rate) == (4, 1, 3e-3)
    assert (result.unsolved, result.failure) == ("", "")
    assert result.trained_on == f"{setup.target.conditions.device}, PyTorch {torch.__version__}"
    assert {name: each.pictures for name, each in result.quality.items()} == {"two": 2, "one": 1}
    kept = load(path.with_suffix(".pth"))
    assert (kept.description, kept.deployed) == (by_hand.description, True)
    assert evaluate(load_network(path.with_suffix(".pth")), setup.val["one"]) == result.quality["one"]
    assert sorted(each.suffix for each in path.parent.iterdir()) == [".json", ".pth"]


def test_a_finished_training_is_read_and_judged_on_new_pictures_alone(searched: Entry, setup: Setup) -> None:
    first = train(searched, setup.recipe, replace(setup, val={"one": setup.val["one"]}))
    events: list[Event] = []
    again = train(searched, setup.recipe, setup, events.append)
    assert events == []
    assert list(again.quality) == ["one", "two"]
    assert again.quality["one"] == first.quality["one"]
    assert again.seconds == first.seconds


def test_a_training_that_ends_below_its_short_one_is_begun_again_at_the_next_lower_rate(
    by_hand: Entry, setup: Setup
) -> None:
    choose(by_hand, setup.recipe, setup)
    assert train(by_hand, replace(setup.recipe, seed=1), setup).learning_rate == 3e-3
    for path in (setup.folder / "rates").iterdir():
        write_json(path, {"title": by_hand.title, "psnr": 99.0})
    events: list[Event] = []
    # At the lowest rate it stands, however low it ends.
    again = train(by_hand, setup.recipe, setup, events.append)
    assert (again.learning_rate, again.failure) == (1e-3, "")
    (line,) = [str(event) for event in events if isinstance(event, Message)]
    assert line.startswith(f"{by_hand.title}, seed 0, ended below its short training at a learning rate of 0.003")


def test_a_last_convolution_that_is_clipped_stays_as_trained(setup: Setup) -> None:
    result = train(of_size("quicksrnet", {"num_feat": 8, "num_block": 1}), setup.recipe, setup)
    assert result.unsolved
    assert result.quality


def test_a_training_that_fails_is_begun_again_at_the_next_lower_rate(by_hand: Entry, setup: Setup) -> None:
    wild = replace(
        setup,
        rates=(1e-3, 1e30),
        recipe=replace(setup.recipe, clip_norm=0.0, learning_rate=1e30, warmup_steps=0, steps=25),
    )
    events: list[Event] = []
    result = train(by_hand, wild.recipe, wild, events.append)
    assert (result.learning_rate, result.failure) == (1e-3, "")
    assert max(event.done for event in events if isinstance(event, Step)) == 25


def test_a_training_that_fails_at_every_rate_says_why(by_hand: Entry, setup: Setup) -> None:
    wild = replace(
        setup, rates=(1e30,), recipe=replace(setup.recipe, clip_norm=0.0, learning_rate=1e30, warmup_steps=0, steps=25)
    )
    result = train(by_hand, wild.recipe, wild)
    assert "the loss is" in result.failure
    assert result.quality == {}
    assert train(by_hand, wild.recipe, wild) == result


def test_equal_seeds_come_to_the_same(searched: Entry, setup: Setup) -> None:
    fixed = replace(setup, recipe=replace(setup.recipe, memory_format="contiguous"))
    first = train(searched, fixed.recipe, fixed)
    torch.manual_seed(99)
    again = train(searched, fixed.recipe, replace(fixed, folder=fixed.folder / "again"))
    assert again.quality == first.quality

"""A training in rungs: it equals fits that go on from each other, survives a kill, and is never done twice."""

import copy
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nas.successive_halving import Ladder, ladder
from nas.training.rung_training import initial_network, remove_weights, rung_recipe, train_to_rung, weights_path
from search_spaces.msrresnet import repeated
from search_spaces.network import build
from sr.checkpoint import load_network
from sr.data.pairs import Pairs
from sr.data.sources import load_pairs
from sr.errors import InputError
from sr.training.fit import Fitted, fit, save_state
from sr.training.recipe import Recipe
from sr.training.trainer import Trainer

pytestmark = pytest.mark.numeric

CPU = torch.device("cpu")
TINY = repeated(8, "branched_conv", 1)
RECIPE = Recipe(steps=99, batch=2, patch=6, precision="float32", memory_format="contiguous")
STEPS = Ladder((3, 6, 12), 2)


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    return load_pairs(None, "val").centre_crops(16, 2)


def test_rung_recipe_anneals_what_the_rung_adds_on_patches_of_its_own() -> None:
    steps = ladder(1600)
    first, last = (rung_recipe(replace(RECIPE, schedule="constant"), steps, rung) for rung in (0, 2))
    assert (first.steps, first.warmup_steps, first.schedule, first.seed) == (100, 20, "cosine", RECIPE.seed)
    assert (last.steps, last.warmup_steps) == (1200, 50)
    assert first.seed != last.seed
    assert last.learning_rate_at(last.steps) == pytest.approx(RECIPE.minimum_learning_rate)
    assert last.learning_rate_at(last.warmup_steps) == RECIPE.learning_rate


def state_of(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def equal(left: nn.Module, right: nn.Module) -> bool:
    """Return whether two networks have the same weights, bit for bit."""
    ours, theirs = left.state_dict(), right.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def train(rung: int, pairs: Pairs, folder: Path, recipe: Recipe = RECIPE, **given: nn.Module) -> Fitted:
    return train_to_rung(TINY, rung, STEPS, recipe, pairs, CPU, folder, **given)


@pytest.mark.parametrize("ema_decay", [0.0, 0.5])
def test_rungs_are_fits_that_go_on_from_each_other_bit_for_bit(ema_decay: float, pairs: Pairs, tmp_path: Path) -> None:
    recipe = replace(RECIPE, ema_decay=ema_decay)
    network: nn.Module = initial_network(TINY, recipe, None)
    for rung in range(3):
        own = rung_recipe(recipe, STEPS, rung)
        by_hand = fit(network, own, pairs, CPU)
        trained = train(rung, pairs, tmp_path, recipe)
        assert equal(trained.network, by_hand.network)
        assert (trained.recipe, trained.loss) == (own, by_hand.loss)
        assert not trained.network.training
        network = copy.deepcopy(by_hand.network)
    assert [path.name for path in tmp_path.iterdir()] == [f"{TINY.key}.pth"]
    assert equal(load_network(weights_path(tmp_path, TINY.key)), network)


def test_killed_rung_goes_on_as_if_nothing_had_happened(pairs: Pairs, tmp_path: Path) -> None:
    train(0, pairs, tmp_path / "whole")
    whole = train(1, pairs, tmp_path / "whole")
    killed = tmp_path / "killed"
    train(0, pairs, killed)
    begun = Trainer(load_network(weights_path(killed, TINY.key)), rung_recipe(RECIPE, STEPS, 1), pairs, CPU)
    begun.step()
    save_state(killed / f"{TINY.key}.rung1.state", begun)
    went_on = train(1, pairs, killed)
    assert equal(went_on.network, whole.network)
    assert [path.name for path in killed.iterdir()] == [f"{TINY.key}.pth"]


def test_killed_rung_goes_on_from_its_state_alone(pairs: Pairs, tmp_path: Path) -> None:
    own = rung_recipe(RECIPE, STEPS, 0)
    torch.manual_seed(7)
    begun = Trainer(build(TINY), own, pairs, CPU)
    for _ in range(own.steps - 1):
        begun.step()
    save_state(tmp_path / f"{TINY.key}.rung0.state", begun)
    begun.step()
    # Not what the recipe's own seed would have drawn, so it was the state that was read.
    assert not equal(begun.network, train(0, pairs, tmp_path / "drawn").network)
    assert equal(begun.network, train(0, pairs, tmp_path).network)


def test_finished_rung_is_read_and_not_trained_again(pairs: Pairs, tmp_path: Path) -> None:
    first = train(1, pairs, tmp_path)
    written = weights_path(tmp_path, TINY.key).read_bytes()
    again = train(1, pairs, tmp_path)
    assert weights_path(tmp_path, TINY.key).read_bytes() == written
    assert equal(again.network, first.network)
    assert (again.loss, again.seconds, again.recipe) == (first.loss, first.seconds, first.recipe)


def test_removed_weights_are_trained_again(pairs: Pairs, tmp_path: Path) -> None:
    train(1, pairs, tmp_path)
    (tmp_path / f"{TINY.key}.rung2.state").touch()
    (tmp_path / "other.pth").touch()
    remove_weights(tmp_path, [TINY.key, "never there"])
    assert [path.name for path in tmp_path.iterdir()] == ["other.pth"]
    straight = train(2, pairs, tmp_path)
    assert equal(straight.network, train(2, pairs, tmp_path / "straight").network)
    # A lower rung than the one that lies there: from the start.
    assert equal(train(0, pairs, tmp_path).network, train(0, pairs, tmp_path / "low").network)


def test_first_rung_starts_from_the_initial_weights(pairs: Pairs, tmp_path: Path) -> None:
    torch.manual_seed(7)
    inherited = build(TINY)
    before = state_of(inherited)
    still = replace(RECIPE, learning_rate=0.0, minimum_learning_rate=0.0)
    assert equal(train(0, pairs, tmp_path, still, initial=inherited).network, inherited)
    assert all(torch.equal(before[name], tensor) for name, tensor in inherited.state_dict().items())
    assert not equal(train(0, pairs, tmp_path / "drawn", still).network, inherited)
    with pytest.raises(InputError, match="the initial weights are not those of 8ch 1x branched_conv"):
        train(0, pairs, tmp_path / "other", initial=build(repeated(12, "branched_conv", 1)))


def test_what_was_autotuned_on_the_first_rung_stays(pairs: Pairs, tmp_path: Path) -> None:
    first = train(0, pairs, tmp_path, replace(RECIPE, memory_format="channels_last"))
    left_open = train(1, pairs, tmp_path, replace(RECIPE, memory_format="fastest", precision="fastest"))
    assert left_open.recipe.memory_format == first.recipe.memory_format == "channels_last"
    assert left_open.recipe.precision == "float32"


def test_rung_learns_from_a_teacher(pairs: Pairs, tmp_path: Path) -> None:
    distilling = replace(RECIPE, distillation=0.5)
    teacher = build(repeated(8, "residual_leaky", 1))
    assert train(0, pairs, tmp_path, distilling, teacher=teacher).recipe.distillation == 0.5


def test_weights_of_another_recipe_or_ladder_are_refused(pairs: Pairs, tmp_path: Path) -> None:
    fitted = train(0, pairs, tmp_path)
    assert asdict(fitted.recipe)["steps"] == 3
    with pytest.raises(InputError, match="was trained by another recipe; remove it"):
        train(1, pairs, tmp_path, replace(RECIPE, batch=1))
    with pytest.raises(InputError, match=r"is of another ladder, \[3\] steps"):
        train_to_rung(TINY, 1, Ladder((4, 6)), RECIPE, pairs, CPU, tmp_path)
    weights_path(tmp_path, TINY.key).write_bytes(b"torn")
    with pytest.raises(InputError, match="is no checkpoint"):
        train(1, pairs, tmp_path)

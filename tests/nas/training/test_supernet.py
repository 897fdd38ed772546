"""A supernet trained for a population: the scores and the weights that it gives."""

import copy
import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nas.training.population import Population
from nas.training.sandwich import Sandwich
from nas.training.supernet import inherited, recalibrate, score, train
from search_spaces.architecture import Architecture, Block
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from search_spaces.supernet import Supernet
from sr.data.pairs import Pairs
from sr.data.sources import load_pairs
from sr.errors import InputError
from sr.measure.quality import evaluate
from sr.seeds import generator
from sr.training.fit import fit, save_state
from sr.training.recipe import Recipe
from sr.training.trainer import Trainer

pytestmark = pytest.mark.numeric

CPU = torch.device("cpu")
SPACE = replace(MSRRESNET_SPACE, name="small", num_feat=(8, 12), positions=3, upsampler=("one_step",), seeds=())
NORMED = replace(SPACE, name="normed", kinds=("residual_relu", "idle", "identity"), norm="batch")
RECIPE = Recipe(steps=6, batch=2, patch=8, warmup_steps=2, precision="float32", memory_format="contiguous")
# Without an image skip everything is to be learned, and a few steps show.
SMALLEST, LARGEST = (
    repeated(*size, image_skip="none") for size in ((8, "residual_leaky", 1), (12, "residual_leaky", 3))
)
MIDDLE = repeated(8, "branched_conv", 2, image_skip="none")


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    return load_pairs(None, "train")


def always_middle(_: random.Random) -> Architecture:
    return MIDDLE


POPULATION = Population(always_middle, LARGEST, SMALLEST, num_feat_most=12, positions=3)


@pytest.fixture(scope="module")
def val() -> Pairs:
    return load_pairs(None, "val").centre_crops(32, 3)


def sandwich(population: Population) -> Sandwich:
    torch.manual_seed(0)
    return Sandwich(Supernet(NORMED if population.largest.norm == "batch" else SPACE), population)


class Float64(nn.Module):
    def forward(self, lr: Tensor) -> Tensor:
        return lr.double()


def normed(architecture: Architecture) -> Architecture:
    return replace(architecture, blocks=(Block("idle"),) * len(architecture.blocks), norm="batch")


def always_normed(_: random.Random) -> Architecture:
    return normed(MIDDLE)


NORMED_POPULATION = Population(always_normed, normed(LARGEST), normed(SMALLEST), 12, 3)


def test_state_of_another_population_is_refused(pairs: Pairs, tmp_path: Path) -> None:
    path = tmp_path / "supernet.state"
    save_state(path, Trainer(sandwich(POPULATION), RECIPE, pairs, CPU))
    other = replace(POPULATION, smallest=MIDDLE)
    with pytest.raises(InputError, match="is of another network; remove it to start anew"):
        train(Supernet(SPACE), other, RECIPE, pairs, CPU, state=path)


@pytest.fixture(scope="module")
def trained(pairs: Pairs) -> tuple[Supernet, Supernet]:
    """A supernet before and after a short training on photographs."""
    torch.manual_seed(0)
    begun = Supernet(SPACE)
    recipe = replace(RECIPE, steps=40, learning_rate=1e-2)
    return copy.deepcopy(begun), train(begun, POPULATION, recipe, pairs, CPU)


def test_training_raises_every_score(trained: tuple[Supernet, Supernet], val: Pairs) -> None:
    before, after = trained
    for architecture in (LARGEST, SMALLEST, MIDDLE):
        assert score(after, architecture, val, CPU).psnr > score(before, architecture, val, CPU).psnr + 3


def test_upsamplers_of_other_skips_stay_as_they_were(trained: tuple[Supernet, Supernet]) -> None:
    """Only networks without an image skip were trained, and each skip has an upsampler of its own."""
    before, after = (supernet.state_dict() for supernet in trained)
    same = {name: torch.equal(before[name], after[name]) for name in before if name.startswith("upsamplers.")}
    assert same == {name: not name.startswith("upsamplers.one_step_none.") for name in same}
    assert set(same.values()) == {True, False}


def test_score_is_the_quality_of_the_inherited_network(trained: tuple[Supernet, Supernet], val: Pairs) -> None:
    _, after = trained
    quality = score(after, MIDDLE, val, CPU)
    network = inherited(after, MIDDLE)
    assert quality == evaluate(network, val, with_ssim=False)
    assert (quality.pictures, quality.ssim) == (3, None)
    assert score(after, MIDDLE, val, CPU) == quality


def test_training_starts_from_what_was_inherited(trained: tuple[Supernet, Supernet], pairs: Pairs, val: Pairs) -> None:
    _, after = trained
    state = copy.deepcopy(after.state_dict())
    gentle = replace(RECIPE, learning_rate=1e-5)
    warm = fit(inherited(after, MIDDLE), gentle, pairs, CPU).network
    assert evaluate(warm, val).psnr == pytest.approx(score(after, MIDDLE, val, CPU).psnr, abs=0.1)
    assert all(torch.equal(tensor, state[name]) for name, tensor in after.state_dict().items())


def test_training_returns_the_average_where_there_is_one(pairs: Pairs) -> None:
    begun = Supernet(SPACE)
    averaged = train(begun, POPULATION, replace(RECIPE, ema_decay=0.5), pairs, CPU)
    assert averaged is not begun
    assert not averaged.training
    assert train(begun, POPULATION, RECIPE, pairs, CPU) is begun


def test_score_takes_batch_statistics_anew_and_leaves_the_supernet(pairs: Pairs, val: Pairs) -> None:
    made = sandwich(NORMED_POPULATION)
    for step in range(3):
        made.exits(pairs.patches(2, 8, generator(0, step))[0])
    before = copy.deepcopy(made.state_dict())
    smallest = NORMED_POPULATION.smallest
    quality = score(made.supernet, smallest, val, CPU, train=pairs)
    assert math.isfinite(quality.psnr)
    assert quality == score(made.supernet, smallest, val, CPU, train=pairs)
    tensors = {name: tensor for name, tensor in made.state_dict().items() if isinstance(tensor, torch.Tensor)}
    assert all(torch.equal(tensor, before[name]) for name, tensor in tensors.items())
    with pytest.raises(ValueError, match="with batch norm takes training pairs, got none"):
        score(made.supernet, smallest, val, CPU)


def test_recalibrated_statistics_are_the_mean_over_batches(pairs: Pairs) -> None:
    norm = nn.BatchNorm2d(3, dtype=torch.float64)
    norm.running_mean = torch.full((3,), 9.0, dtype=torch.float64)
    recalibrate(nn.Sequential(Float64(), norm), pairs, CPU)
    batches = [pairs.patches(16, 32, generator(0, step))[0].double() for step in range(8)]
    assert norm.running_mean is not None
    assert torch.allclose(norm.running_mean, torch.cat(batches).mean((0, 2, 3)), rtol=0, atol=1e-12)
    assert (norm.momentum, norm.training) == (0.1, False)


def test_score_of_an_architecture_outside_the_supernet_is_refused(val: Pairs) -> None:
    with pytest.raises(ValueError, match="is outside the supernet of small: num_feat is at most 8"):
        score(Supernet(SPACE, num_feat_most=8), LARGEST, val, CPU)

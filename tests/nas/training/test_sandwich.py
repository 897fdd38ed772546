"""The sandwich rule: a step by hand, what it draws, and a training that is resumed."""

import copy
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.training.population import Population, affordable
from nas.training.sandwich import Sandwich
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from search_spaces.supernet import Supernet
from sr.data.pairs import Pairs
from sr.data.sources import load_pairs
from sr.seeds import generator
from sr.training.fit import load_state, save_state
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


def sandwich(population: Population = POPULATION, weights: int = 0, **options: Any) -> Sandwich:
    torch.manual_seed(weights)
    space = NORMED if population.largest.norm == "batch" else SPACE
    return Sandwich(Supernet(space), population, **options)


# At most 8 convolutions one after another, each a sum of at most 9 * 48 products: what float32 may lose on the way.
ROUNDING = 8 * 9 * 48 * torch.finfo(torch.float32).eps


def wide(architecture: Architecture) -> bool:
    return architecture.num_feat == 12


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_gradients_of_a_step_are_those_by_hand(share: float, pairs: Pairs) -> None:
    """The mean of four losses: HR's alone for the largest, and for each other a mix of HR's and the distance."""
    made = sandwich(distillation=share).train()
    lr, hr = pairs.patches(2, 8, generator(0, 0))
    outputs = [made.supernet(lr, architecture) for architecture in (LARGEST, SMALLEST, MIDDLE, MIDDLE)]
    target = outputs[0].detach()
    losses = [(outputs[0] - hr).abs().mean()]
    losses += [(1 - share) * (sr - hr).abs().mean() + share * (sr - target).abs().mean() for sr in outputs[1:]]
    torch.stack(losses).mean().backward()
    expected = {name: parameter.grad for name, parameter in made.named_parameters()}

    recipe = replace(RECIPE, clip_norm=0.0, learning_rate=0.0)
    trainer = Trainer(sandwich(distillation=share), recipe, pairs, CPU)
    loss = trainer.step()
    assert loss.item() == pytest.approx(sum((sr - hr).abs().mean().item() for sr in outputs) / 4, rel=ROUNDING)
    for name, parameter in trainer.network.named_parameters():
        wanted = expected[name]
        if wanted is None:
            assert parameter.grad is None, name
        else:
            assert parameter.grad is not None, name
            assert (parameter.grad - wanted).abs().max() <= ROUNDING * wanted.abs().max(), name


def test_tensor_that_no_network_of_a_step_uses_stays(pairs: Pairs) -> None:
    trainer = Trainer(sandwich(), RECIPE, pairs, CPU)
    before = copy.deepcopy(trainer.network.state_dict())
    for _ in range(3):
        trainer.step()
    moved = {name for name, parameter in trainer.network.named_parameters() if not parameter.equal(before[name])}
    assert any(name.startswith("supernet.trunk.2.residual_leaky.") for name in moved)
    assert any(name.startswith("supernet.trunk.1.branched_conv.") for name in moved)
    assert not any(
        name.startswith(("supernet.trunk.2.branched_conv.", "supernet.fuse.")) or ".idle." in name for name in moved
    )


def test_step_has_the_ends_and_others_by_its_seed_and_number() -> None:
    members = affordable(SPACE, wide, seed=0, draws=60)
    lr = torch.rand(1, 3, 8, 8)

    def drawn(seed: int, step: int) -> list[Architecture]:
        """Return what a step draws; its exits are those of the ends and of these."""
        others: list[Architecture] = []

        def sample(rng: random.Random) -> Architecture:
            others.append(members.sample(rng))
            return others[-1]

        made = sandwich(replace(members, sample=sample), seed=seed)
        made.set_extra_state(made.get_extra_state() | {"steps_done": step})
        exits = made.exits(lr)
        assert made.steps_done == step + 1
        for sr, architecture in zip(exits, (members.largest, members.smallest, *others), strict=True):
            torch.testing.assert_close(sr, made.supernet(lr, architecture), rtol=ROUNDING, atol=ROUNDING)
        return others

    steps = [drawn(*each) for each in ((5, 9), (5, 9), (5, 10), (6, 9))]
    assert [len(step) for step in steps] == [2, 2, 2, 2]
    assert steps[0] == steps[1]
    assert steps[0] != steps[2]
    assert steps[0] != steps[3]


@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "batch_norm"])
@pytest.mark.parametrize("interrupted_after", [0, 3])
def test_resumed_training_is_an_uninterrupted_one_bit_for_bit(
    interrupted_after: int, batch_norm: bool, pairs: Pairs, tmp_path: Path
) -> None:
    space = NORMED if batch_norm else SPACE
    population = affordable(space, lambda _: True, seed=0, draws=30)
    recipe = replace(RECIPE, ema_decay=0.9, precision="bfloat16", memory_format="channels_last")
    whole, killed, resumed = (
        Trainer(sandwich(population, weights, seed=4), recipe, pairs, CPU) for weights in (0, 0, 1)
    )
    losses = [whole.step().item() for _ in range(recipe.steps)]
    for _ in range(interrupted_after):
        killed.step()
    save_state(tmp_path / "supernet.state", killed)
    state = load_state(tmp_path / "supernet.state", recipe)
    assert state is not None
    resumed.restore(state)
    assert [resumed.step().item() for _ in range(recipe.steps - interrupted_after)] == losses[interrupted_after:]
    for network in ("network", "average"):
        states = [getattr(trainer, network).state_dict() for trainer in (whole, resumed)]
        tensors = [name for name, value in states[0].items() if isinstance(value, torch.Tensor)]
        assert all(torch.equal(states[0][name], states[1][name]) for name in tensors)


@pytest.mark.parametrize("share", [-0.1, 1.5, math.nan])
def test_share_of_distillation_outside_0_and_1_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="distillation must be from 0 to 1"):
        sandwich(distillation=share)


def test_penalty_without_exits_before_it_is_refused() -> None:
    made = sandwich()
    with pytest.raises(ValueError, match="a penalty follows exits, got none"):
        made.penalty()
    made.exits(torch.rand(1, 3, 4, 4))
    assert made.penalty().item() > 0
    with pytest.raises(ValueError, match="a penalty follows exits"):
        made.penalty()

"""The sandwich by hand and resumed, who is affordable, and what the scores are."""

import copy
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nas.counting import counts
from nas.supernet import (
    COUNTED_SIZE,
    Population,
    Sandwich,
    affordable,
    inherited,
    recalibrate,
    score,
    train,
)
from search_spaces.architecture import Architecture, Block
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from search_spaces.supernet import Supernet
from sr.data import load_pairs
from sr.errors import InputError
from sr.pairs import Pairs
from sr.quality import evaluate
from sr.recipe import Recipe
from sr.trainer import Trainer, generator
from sr.training import fit, load_state, save_state

CPU = torch.device("cpu")
SPACE = replace(MSRRESNET_SPACE, name="small", num_feat=(8, 12), positions=3, upsampler=("one_step",), seeds=())
NORMED = replace(SPACE, name="normed", kinds=("residual_relu", "idle", "identity"), norm="batch")
RECIPE = Recipe(steps=6, batch=2, patch=8, warmup_steps=2, precision="float32", memory_format="contiguous")
# Without an image skip everything is to be learned, and a few steps show.
SMALLEST, LARGEST = (
    repeated(*size, image_skip="none") for size in ((8, "residual_leaky", 1), (12, "residual_leaky", 3))
)
MIDDLE = repeated(8, "branched_conv", 2, image_skip="none")


@pytest.fixture(autouse=True)
def _own_locks(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nobody else's measurements."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path_factory.getbasetemp()))


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    return load_pairs(None, "train", report=print)


@pytest.fixture(scope="module")
def val() -> Pairs:
    return load_pairs(None, "val", report=print).centre_crops(32, 3)


def always_middle(_: random.Random) -> Architecture:
    return MIDDLE


POPULATION = Population(always_middle, LARGEST, SMALLEST, num_feat_most=12, positions=3)


def sandwich(population: Population = POPULATION, weights: int = 0, **options: Any) -> Sandwich:
    torch.manual_seed(weights)
    space = NORMED if population.largest.norm == "batch" else SPACE
    return Sandwich(Supernet(space), population, **options)


def wide(architecture: Architecture) -> bool:
    return architecture.num_feat == 12


def normed(architecture: Architecture) -> Architecture:
    return replace(architecture, blocks=(Block("idle"),) * len(architecture.blocks), norm="batch")


def always_normed(_: random.Random) -> Architecture:
    return normed(MIDDLE)


NORMED_POPULATION = Population(always_normed, normed(LARGEST), normed(SMALLEST), 12, 3)


def test_the_affordable_are_allowed_and_lie_between_the_ends() -> None:
    population = affordable(SPACE, wide, seed=3, draws=60)
    rng = random.Random(0)
    members = [population.sample(rng) for _ in range(200)]
    assert len({member.key for member in members}) > 20
    assert all(member.num_feat == 12 and member == member.canonical for member in members)
    sizes = [counts(member, COUNTED_SIZE).multi_adds for member in members]
    ends = [counts(end, COUNTED_SIZE).multi_adds for end in (population.smallest, population.largest)]
    assert ends[0] <= min(sizes) < max(sizes) <= ends[1]
    assert wide(population.largest)
    assert wide(population.smallest)
    assert (population.num_feat_most, population.positions) == (12, 3)


def test_equal_seeds_give_equal_populations_and_others_do_not() -> None:
    drawn = [
        [member.sample(rng).key for rng in [random.Random(1)] for _ in range(20)]
        for member in (affordable(SPACE, wide, seed=seed, draws=40) for seed in (1, 1, 2))
    ]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_seeds_and_their_neighbours_are_found_where_samples_are_not() -> None:
    """Only what is deep and of one kind is allowed, which no sample of a few is."""
    seed = repeated(12, "residual_leaky", 16)
    space = replace(MSRRESNET_SPACE, seeds=(seed,))

    def allowed(architecture: Architecture) -> bool:
        return [block.kind for block in architecture.blocks].count("residual_leaky") >= 12

    population = affordable(space, allowed, seed=0, draws=40)
    assert population.positions == 16
    members = {population.sample(random.Random(number)).key for number in range(100)}
    assert len(members) > 5
    alone = affordable(space, lambda architecture: architecture == seed, seed=0, draws=40)
    assert alone.largest == alone.smallest == seed


def test_a_network_is_asked_about_once() -> None:
    asked: list[str] = []

    def allowed(architecture: Architecture) -> bool:
        asked.append(architecture.key)
        return True

    affordable(replace(SPACE, positions=1, kinds=("idle",)), allowed, seed=0, draws=100)
    assert len(asked) == len(set(asked)) > 1


def test_nothing_affordable_is_an_input_error() -> None:
    with pytest.raises(InputError) as caught:
        affordable(SPACE, lambda _: False, seed=0, draws=10)
    line = "a supernet takes at least one architecture within the budget, got none of 10 of small; raise the budget"
    assert str(caught.value) == line


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_step_by_hand(share: float, pairs: Pairs) -> None:
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
    assert loss.item() == pytest.approx(sum((sr - hr).abs().mean().item() for sr in outputs) / 4)
    for name, parameter in trainer.network.named_parameters():
        wanted = expected[name]
        if wanted is None:
            assert parameter.grad is None, name
        else:
            assert parameter.grad is not None, name
            assert torch.allclose(parameter.grad, wanted, atol=1e-6), name


def test_what_no_network_of_a_step_uses_stays(pairs: Pairs) -> None:
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


def test_a_step_draws_the_ends_and_others_by_its_seed_and_number() -> None:
    population = affordable(SPACE, wide, seed=0, draws=60)
    first, same, other = (sandwich(population, seed=seed) for seed in (5, 5, 6))
    steps = [made.drawn(step) for made, step in ((first, 9), (same, 9), (first, 10), (other, 9))]
    assert all(step[:2] == [population.largest, population.smallest] and len(step) == 4 for step in steps)
    assert steps[0] == steps[1]
    assert steps[0] != steps[2]
    assert steps[0] != steps[3]


@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "batch_norm"])
@pytest.mark.parametrize("interrupted_after", [0, 3])
def test_a_resumed_training_is_an_uninterrupted_one(
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


def test_a_state_of_another_population_is_refused(pairs: Pairs, tmp_path: Path) -> None:
    path = tmp_path / "supernet.state"
    save_state(path, Trainer(sandwich(), RECIPE, pairs, CPU))
    other = replace(POPULATION, smallest=MIDDLE)
    with pytest.raises(InputError, match="is of another network; remove it to start anew"):
        train(Supernet(SPACE), other, RECIPE, pairs, CPU, state=path, quiet=True)


@pytest.fixture(scope="module")
def trained(pairs: Pairs) -> tuple[Supernet, Supernet]:
    """A supernet before and after a short training on photographs."""
    torch.manual_seed(0)
    begun = Supernet(SPACE)
    recipe = replace(RECIPE, steps=40, learning_rate=1e-2)
    return copy.deepcopy(begun), train(begun, POPULATION, recipe, pairs, CPU, quiet=True)


def test_training_raises_every_score(trained: tuple[Supernet, Supernet], val: Pairs) -> None:
    before, after = trained
    for architecture in (LARGEST, SMALLEST, MIDDLE):
        assert score(after, architecture, val, CPU).psnr > score(before, architecture, val, CPU).psnr + 3


def test_what_was_not_trained_stays_as_it_was(trained: tuple[Supernet, Supernet]) -> None:
    """Only networks without an image skip were trained, and each skip has an upsampler of its own."""
    before, after = (supernet.state_dict() for supernet in trained)
    same = {name: torch.equal(before[name], after[name]) for name in before if name.startswith("upsamplers.")}
    assert same == {name: not name.startswith("upsamplers.one_step_none.") for name in same}
    assert set(same.values()) == {True, False}


def test_a_score_is_the_quality_of_the_inherited_network(trained: tuple[Supernet, Supernet], val: Pairs) -> None:
    _, after = trained
    quality = score(after, MIDDLE, val, CPU)
    network = inherited(after, MIDDLE)
    assert quality == evaluate(network, val, with_ssim=False)
    assert (quality.pictures, quality.ssim) == (3, None)
    assert score(after, MIDDLE, val, CPU) == quality


def test_a_training_starts_from_what_was_inherited(
    trained: tuple[Supernet, Supernet], pairs: Pairs, val: Pairs
) -> None:
    _, after = trained
    state = copy.deepcopy(after.state_dict())
    gentle = replace(RECIPE, learning_rate=1e-5)
    warm = fit(inherited(after, MIDDLE), gentle, pairs, CPU, quiet=True).network
    assert evaluate(warm, val).psnr == pytest.approx(score(after, MIDDLE, val, CPU).psnr, abs=0.1)
    assert all(torch.equal(tensor, state[name]) for name, tensor in after.state_dict().items())


def test_the_average_is_what_a_training_returns(pairs: Pairs) -> None:
    begun = Supernet(SPACE)
    averaged = train(begun, POPULATION, replace(RECIPE, ema_decay=0.5), pairs, CPU, quiet=True)
    assert averaged is not begun
    assert not averaged.training
    assert train(begun, POPULATION, RECIPE, pairs, CPU, quiet=True) is begun


def test_batch_statistics_are_taken_anew_for_each_score(pairs: Pairs, val: Pairs) -> None:
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


def test_recalibration_is_the_mean_over_batches(pairs: Pairs) -> None:
    norm = nn.BatchNorm2d(3)
    norm.running_mean = torch.full((3,), 9.0)
    recalibrate(norm, pairs, CPU)
    batches = [pairs.patches(16, 32, generator(0, step))[0] for step in range(8)]
    assert norm.running_mean is not None
    assert torch.allclose(norm.running_mean, torch.cat(batches).mean((0, 2, 3)), atol=1e-5)
    assert (norm.momentum, norm.training) == (0.1, False)


@pytest.mark.parametrize("share", [-0.1, 1.5, math.nan])
def test_the_share_of_distillation_keeps_its_law(share: float) -> None:
    with pytest.raises(ValueError, match="distillation must be from 0 to 1"):
        sandwich(distillation=share)


def test_a_penalty_follows_exits() -> None:
    made = sandwich()
    with pytest.raises(ValueError, match="a penalty follows exits, got none"):
        made.penalty()
    made.exits(torch.rand(1, 3, 4, 4))
    assert made.penalty().item() > 0
    with pytest.raises(ValueError, match="a penalty follows exits"):
        made.penalty()


def test_what_lies_outside_has_no_score(val: Pairs) -> None:
    with pytest.raises(ValueError, match="is outside the supernet of small: num_feat is at most 8"):
        score(Supernet(SPACE, num_feat_most=8), LARGEST, val, CPU)

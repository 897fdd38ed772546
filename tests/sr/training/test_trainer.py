"""Single steps by hand."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr.data.pairs import Pairs, PatchPositions, pack
from sr.seeds import generator
from sr.training.autotune import autotune, seconds_per_step
from sr.training.average import WeightAverage
from sr.training.batches import PinnedBatches
from sr.training.fit import fit
from sr.training.recipe import Recipe
from sr.training.trainer import Trainer, TrainingFailedError, failures

pytestmark = pytest.mark.numeric

CPU = torch.device("cpu")
AUTOTUNED = Recipe(steps=12, batch=2, patch=6, warmup_steps=2, precision="float32", memory_format="contiguous")
# By how much of itself a loss in float32 may be off: convolutions over 27 and 72 values, and the mean over two patches.
ROUNDING = (27 + 72 + 2 * 3 * 24**2) * 2**-23
Make = Callable[..., nn.Module]
Train = Callable[..., Trainer]
Equal = Callable[[Any, Any], bool]


def test_patches_depend_on_the_seed_and_the_step_alone(pairs: Pairs) -> None:
    drawn = [pairs.patches(3, 5, generator(seed, step))[0] for seed, step in ((1, 9), (1, 9), (1, 10), (2, 9))]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[3])


def test_the_rate_is_set_and_the_gradient_clipped(trainer: Train) -> None:
    made = trainer(replace(AUTOTUNED, clip_norm=1e-3, learning_rate=0.25, warmup_steps=4))
    made.step()
    assert {group["lr"] for group in made.optimiser.param_groups} == {0.25 / 4}
    gradients = [parameter.grad for parameter in made.network.parameters() if parameter.grad is not None]
    assert torch.stack([gradient.norm() for gradient in gradients]).norm() <= 1.01e-3


@pytest.mark.parametrize("rising", [False, True])
def test_squared_gradients_are_kept_by_the_recipes_share(trainer: Train, rising: bool) -> None:
    recipe = replace(AUTOTUNED, rising_beta2=rising, clip_norm=0.0)
    made = trainer(recipe)
    made.step()
    for parameter in made.network.parameters():
        assert parameter.grad is not None
        kept = made.optimiser.state[parameter]["exp_avg_sq"]
        torch.testing.assert_close(kept, (1 - recipe.beta2_at(0)) * parameter.grad.square(), rtol=1e-4, atol=0)
    made.steps_done = 10_000
    made.step()
    assert {group["betas"] for group in made.optimiser.param_groups} == {(0.9, 0.999)}


def test_the_average_is_what_is_used_and_follows_by_its_decay(trainer: Train) -> None:
    made = trainer(replace(AUTOTUNED, ema_decay=0.9))
    made.step()
    first = copy.deepcopy(made.network.state_dict())
    made.step()
    second, average = made.network.state_dict(), made.trained().state_dict()
    weight = "0.weight"
    # Weights under 0.2: three roundings of those.
    assert torch.allclose(average[weight], 0.9 * first[weight] + 0.1 * second[weight], rtol=0, atol=1e-6)
    assert list(average) == list(second)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_too_little_memory_is_a_failed_training(error: RuntimeError) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(TrainingFailedError, match="too little memory for this network, batch and patch"), failures():
        fail()


def test_other_error_of_a_training_is_left_as_it_is() -> None:
    def fail() -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(RuntimeError, match="illegal memory access"), failures():
        fail()


def test_a_trainer_takes_autotuned_recipes_alone(trainer: Train) -> None:
    with pytest.raises(ValueError, match=r"see autotune\(\)"):
        trainer(replace(AUTOTUNED, precision="fastest"))


def test_the_average_takes_counts_and_indices_as_they_are(equal: Equal) -> None:
    network = nn.Module()
    network.register_buffer("kept", torch.arange(64))
    average = WeightAverage(network, 0.9)
    for step in range(5):
        average.update(network, first=step == 0)
    assert equal(average.module.state_dict(), network.state_dict())


def test_a_penalty_trains_and_is_not_in_the_loss(pairs: Pairs, gated: Make) -> None:
    recipe = replace(AUTOTUNED, clip_norm=0.0)
    without, strong = Trainer(gated(), recipe, pairs, CPU), Trainer(gated(strength=5.0), recipe, pairs, CPU)
    assert without.step().item() == strong.step().item()
    gradients = [made.network.get_parameter("gates").grad for made in (without, strong)]
    assert gradients[0] is not None
    assert torch.allclose(gradients[1], gradients[0] + 5.0)
    gates = [fit(gated(strength), AUTOTUNED, pairs, CPU).network.gates for strength in (-5.0, 5.0)]
    assert gates[0].min() > 1 > gates[1].max()


def test_a_teacher_goes_with_distillation_alone(tiny: Make, pairs: Pairs) -> None:
    for distillation, teacher in ((0.5, None), (0.0, tiny())):
        recipe = replace(AUTOTUNED, distillation=distillation)
        for act in (Trainer, seconds_per_step, autotune, fit):
            with pytest.raises(ValueError, match="distillation is over 0 with a teacher alone, got 0") as caught:
                act(tiny(), recipe, pairs, CPU, teacher=teacher)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("distillation", [0.25, 1.0])
def test_the_distilled_loss_by_hand(tiny: Make, pairs: Pairs, trainer: Train, distillation: float) -> None:
    recipe = replace(AUTOTUNED, loss="l2", distillation=distillation)
    lr, hr = pairs.patches(recipe.batch, recipe.patch, generator(recipe.seed, 0))
    sr, target = tiny()(lr), tiny(7).eval()(lr)
    expected = (1 - distillation) * F.mse_loss(sr, hr) + distillation * F.l1_loss(sr, target)
    assert trainer(recipe).step().item() == pytest.approx(expected.item(), rel=ROUNDING)


class TwoExits(nn.Module):
    """Gives its picture once as it is and once twice as bright."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def exits(self, lr: Tensor) -> list[Tensor]:
        sr = self.body(lr)
        return [sr, 2 * sr]

    def forward(self, lr: Tensor) -> Tensor:
        return self.exits(lr)[-1]


def test_every_exit_learns_from_what_the_teacher_gives_last(tiny: Make, pairs: Pairs) -> None:
    recipe = replace(AUTOTUNED, distillation=1.0)
    lr, _ = pairs.patches(recipe.batch, recipe.patch, generator(recipe.seed, 0))
    sr, target = tiny()(lr), TwoExits(tiny()).eval()(lr)
    expected = (F.l1_loss(sr, target) + F.l1_loss(2 * sr, target)) / 2
    made = Trainer(TwoExits(tiny()), recipe, pairs, CPU, teacher=TwoExits(tiny()))
    assert made.step().item() == pytest.approx(expected.item(), rel=ROUNDING)


def test_step_that_overflows_in_half_precision_is_left_out(trainer: Train, equal: Equal) -> None:
    made = trainer(replace(AUTOTUNED, precision="float16"))
    assert made.scaler is not None
    before = copy.deepcopy(made.network.state_dict())
    made.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
    made.step()
    weights = "0.weight"
    assert equal(made.network.state_dict()[weights], before[weights])
    assert made.scaler.get_scale() < 2.0**127
    made.scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
    made.step()
    assert not equal(made.network.state_dict()[weights], before[weights])


def test_loss_scaling_leaves_the_step_as_it_is(trainer: Train) -> None:
    """What is clipped and stepped by is the gradient itself: powers of two are exact."""
    made = [trainer(replace(AUTOTUNED, precision="float16", clip_norm=1e-3)) for _ in range(2)]
    for each, scale in zip(made, (1.0, 8.0), strict=True):
        each.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        each.step()
    one, eight = (each.network.get_parameter("0.weight").grad for each in made)
    assert torch.allclose(one, eight, rtol=1e-2, atol=1e-6)


@pytest.mark.parametrize("scale", [4, 2])
def test_batches_cut_ahead_in_bytes_are_those_that_are_cut_at_once(pairs: Pairs, scale: int, equal: Equal) -> None:
    if scale != 4:
        lr = [pairs.lr.picture(index) for index in range(2)]
        hr = [each.repeat_interleave(scale, 0).repeat_interleave(scale, 1) for each in lr]
        pairs = Pairs(pairs.names, pairs.lr, pack(hr), scale)

    def draw(number: int) -> PatchPositions:
        return pairs.draw(3, 5, generator(4, number))

    ahead = PinnedBatches(pairs, 5, draw, pin=False)
    # In order, over again, and far on, as the solution of the last layer takes them.
    for number in (0, 1, 2, 2, 40, 41):
        for one, other in zip(ahead.batch(number), pairs.cut(draw(number), 5), strict=True):
            assert equal(one.float() / 255, other)
            assert one.stride() == other.stride()

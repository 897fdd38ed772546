import copy
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sr.checkpoint import Checkpoint, Description, save
from sr.data.pairs import Pairs, pack
from sr.errors import InputError
from sr.measure.latency import MEMORY_FORMATS
from sr.progress import Event, Progress, Step
from sr.seeds import generator
from sr.training.autotune import autotune, available_precisions, seconds_per_step
from sr.training.closed_form_output import solve_output
from sr.training.fit import fit, load_state, run, save_state
from sr.training.losses import LOSSES, charbonnier
from sr.training.recipe import PRECISIONS, Recipe
from sr.training.trainer import Trainer, TrainingFailedError, averaging, failures

pytestmark = pytest.mark.numeric

CPU = torch.device("cpu")
# By how much of itself a loss in float32 may be off: convolutions over 27 and 72 values, and the mean over two patches.
ROUNDING = (27 + 72 + 2 * 3 * 24**2) * 2**-23
AUTOTUNED = Recipe(steps=12, batch=2, patch=6, warmup_steps=2, precision="float32", memory_format="contiguous")


def tiny(seed: int = 0) -> nn.Module:
    """Two convolutions with a batch norm between them, whose buffers are a state too."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 48, 3, padding=1), nn.PixelShuffle(4)
    )


def blocks_of_colour() -> Pairs:
    """HR of 4x4 blocks of one colour each and LR that colour: repeating pixels is the perfect network."""
    random = torch.Generator().manual_seed(0)
    lr = [torch.randint(0, 256, (*size, 3), generator=random, dtype=torch.uint8) for size in ((9, 12), (10, 7))]
    hr = [small.repeat_interleave(4, 0).repeat_interleave(4, 1) for small in lr]
    return Pairs(("first", "second"), pack(lr), pack(hr))


PAIRS = blocks_of_colour()


def trainer(recipe: Recipe = AUTOTUNED, seed: int = 0) -> Trainer:
    return Trainer(tiny(seed), recipe, PAIRS, CPU, teacher=tiny(7) if recipe.distillation else None)


def equal(left: Any, right: Any) -> bool:
    """Return whether two states are the same, tensors bit for bit."""
    if isinstance(left, Tensor):
        return isinstance(right, Tensor) and left.dtype == right.dtype and torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(equal(a, b) for a, b in zip(left, right, strict=True))
    return bool(left == right)


def test_losses_by_hand() -> None:
    sr, hr = torch.tensor([1.0, 3.0]), torch.tensor([1.0, 0.0])
    assert LOSSES["l1"](sr, hr) == 1.5
    assert LOSSES["l2"](sr, hr) == 4.5
    assert charbonnier(sr, hr).item() == pytest.approx((1e-3 + math.sqrt(9 + 1e-6)) / 2)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("optimiser", ["adam", "adamw"])
def test_fit_lowers_the_loss(loss: Any, optimiser: Any) -> None:
    recipe = replace(AUTOTUNED, steps=60, loss=loss, optimiser=optimiser, learning_rate=1e-2)
    first = trainer(recipe).step().item()
    network = tiny()
    fitted = fit(network, recipe, PAIRS, CPU)
    assert fitted.loss < 0.7 * first
    assert fitted.network is network
    assert not any(module.training for module in fitted.network.modules())
    assert fitted.recipe == recipe
    assert fitted.seconds > 0


def test_equal_seeds_give_equal_networks_and_others_do_not() -> None:
    results = [fit(tiny(), replace(AUTOTUNED, seed=seed), PAIRS, CPU) for seed in (5, 5, 6)]
    states = [fitted.network.state_dict() for fitted in results]
    assert equal(states[0], states[1])
    assert results[0].loss == results[1].loss
    assert not equal(states[0], states[2])


def test_patches_depend_on_the_seed_and_the_step_alone() -> None:
    drawn = [PAIRS.patches(3, 5, generator(seed, step))[0] for seed, step in ((1, 9), (1, 9), (1, 10), (2, 9))]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[3])


def test_the_rate_is_set_and_the_gradient_clipped() -> None:
    made = trainer(replace(AUTOTUNED, clip_norm=1e-3, learning_rate=0.25, warmup_steps=4))
    made.step()
    assert {group["lr"] for group in made.optimiser.param_groups} == {0.25 / 4}
    gradients = [parameter.grad for parameter in made.network.parameters() if parameter.grad is not None]
    assert torch.stack([gradient.norm() for gradient in gradients]).norm() <= 1.01e-3


def test_the_average_is_what_is_used_and_follows_by_its_decay() -> None:
    made = trainer(replace(AUTOTUNED, ema_decay=0.9))
    made.step()
    first = copy.deepcopy(made.network.state_dict())
    made.step()
    second, average = made.network.state_dict(), made.trained().state_dict()
    weight = "0.weight"
    # Weights under 0.2: three roundings of those.
    assert torch.allclose(average[weight], 0.9 * first[weight] + 0.1 * second[weight], rtol=0, atol=1e-6)
    assert list(average) == list(second)


RECIPES = st.builds(
    replace,
    st.just(AUTOTUNED),
    optimiser=st.sampled_from(["adam", "adamw"]),
    schedule=st.sampled_from(["cosine", "triangular"]),
    distillation=st.sampled_from([0.0, 0.5]),
    ema_decay=st.sampled_from([0.0, 0.9]),
    weight_decay=st.sampled_from([0.0, 0.01]),
    precision=st.sampled_from(list(PRECISIONS)),
    memory_format=st.sampled_from(list(MEMORY_FORMATS)),
    seed=st.integers(0, 2**40),
)


@settings(max_examples=12, deadline=None)
@given(RECIPES, st.integers(0, 6))
def test_a_resumed_run_is_an_uninterrupted_one(
    tmp_path_factory: pytest.TempPathFactory, recipe: Recipe, interrupted_after: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "resumed.state"
    whole, killed = trainer(recipe), trainer(recipe)
    losses = [whole.step() for _ in range(6)]
    for _ in range(interrupted_after):
        killed.step()
    save_state(path, killed)
    resumed = trainer(recipe, seed=99)
    state = load_state(path, recipe)
    assert state is not None
    resumed.restore(state)
    assert [resumed.step().item() for _ in range(6 - interrupted_after)] == [
        loss.item() for loss in losses[interrupted_after:]
    ]
    assert equal(whole.state(), resumed.state())
    assert equal(whole.trained().state_dict(), resumed.trained().state_dict())


@pytest.mark.parametrize(("ema_decay", "solve_output"), [(0.0, False), (0.9, False), (0.0, True), (0.9, True)])
@pytest.mark.parametrize("killed_at", [21, 50])
def test_fit_goes_on_after_a_kill_as_if_nothing_had_happened(
    killed_at: int, ema_decay: float, solve_output: bool, tmp_path: Path
) -> None:
    recipe = replace(AUTOTUNED, steps=55, ema_decay=ema_decay, solve_output=solve_output)
    state = tmp_path / "training.state"
    whole = fit(tiny(), recipe, PAIRS, CPU)
    killed = trainer(recipe)

    def kill(*_: Any) -> None:
        if killed.steps_done == killed_at:
            raise KeyboardInterrupt

    killed.network.register_forward_hook(kill)
    with pytest.raises(KeyboardInterrupt):
        run(killed, state, Progress("training", recipe.steps), save_seconds=0.0)
    saved = load_state(state, recipe)
    assert saved is not None
    assert saved["steps_done"] == killed_at // 20 * 20
    resumed = fit(tiny(seed=99), recipe, PAIRS, CPU, state=state)
    assert resumed.loss == whole.loss
    assert equal(resumed.network.state_dict(), whole.network.state_dict())
    assert [path.name for path in tmp_path.iterdir()] == ["training.state"]


def test_the_output_is_solved_for_after_the_last_step_on_patches_that_no_step_saw() -> None:
    plain, numbers = fit(tiny(), replace(AUTOTUNED, steps=48), PAIRS, CPU), []
    beside = trainer(replace(AUTOTUNED, steps=48))

    def patches(number: int) -> tuple[Tensor, Tensor]:
        numbers.append(number)
        return beside.patches(48 + number)

    assert solve_output(plain.network, patches, 12)
    # The first one also tells what is solved for.
    assert numbers == [0, *range(12)]
    solved = fit(tiny(), replace(AUTOTUNED, steps=48, solve_output=True), PAIRS, CPU)
    assert equal(solved.network.state_dict(), plain.network.state_dict())
    assert solved.loss == plain.loss


def test_what_was_autotuned_stays_so_after_a_kill(tmp_path: Path) -> None:
    open_recipe = replace(AUTOTUNED, steps=5, precision="fastest", memory_format="fastest")
    begun = trainer(replace(open_recipe, precision="bfloat16", memory_format="channels_last"))
    begun.step()
    save_state(tmp_path / "training.state", begun)
    fitted = fit(tiny(), open_recipe, PAIRS, CPU, state=tmp_path / "training.state")
    assert (fitted.recipe.precision, fitted.recipe.memory_format) == ("bfloat16", "channels_last")


def test_the_last_state_still_leaves_a_step_to_take(tmp_path: Path) -> None:
    recipe, state = replace(AUTOTUNED, steps=40), tmp_path / "training.state"
    made = trainer(recipe)
    loss = run(made, state, Progress("training", recipe.steps), save_seconds=0.0)
    again = fit(tiny(), recipe, PAIRS, CPU, state=state)
    assert math.isfinite(loss)
    assert again.loss == loss
    assert equal(again.network.state_dict(), made.network.state_dict())


def test_no_state_begins_anew(tmp_path: Path) -> None:
    assert load_state(tmp_path / "absent.state", AUTOTUNED) is None
    fitted = fit(tiny(), AUTOTUNED, PAIRS, CPU, state=tmp_path / "absent.state")
    assert math.isfinite(fitted.loss)


def refused(network: nn.Module, recipe: Recipe, state: Path) -> str:
    with pytest.raises(InputError) as caught:
        fit(network, recipe, PAIRS, CPU, state=state)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_state_of_another_training_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "training.state"
    save_state(state, trainer())
    assert "of a training with another recipe" in refused(tiny(), replace(AUTOTUNED, steps=13), state)
    assert "of another network" in refused(nn.Sequential(nn.Conv2d(3, 48, 1), nn.PixelShuffle(4)), AUTOTUNED, state)


def test_what_is_no_state_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "training.state"
    state.write_text("no state")
    assert "is no state of a training" in refused(tiny(), AUTOTUNED, state)
    torch.save({"weight": torch.ones(1)}, state)
    assert "is no state of a training" in refused(tiny(), AUTOTUNED, state)
    torch.save({"recipe": asdict(AUTOTUNED) | {"steps": 0}}, state)
    assert "is no state of a training" in refused(tiny(), AUTOTUNED, state)
    torch.save(tiny(), state)
    assert "is no state of a training" in refused(tiny(), AUTOTUNED, state)


def test_a_checkpoint_of_the_same_recipe_is_no_state(tmp_path: Path) -> None:
    description = Description("baseline", {"name": "rfdn", "num_feat": 8})
    path = tmp_path / "net.pth"
    save(path, Checkpoint(description, description.build().state_dict(), recipe=asdict(AUTOTUNED)))
    assert "remove it to start anew" in refused(tiny(), AUTOTUNED, path)


class Broken(nn.Module):
    """Gives NaN from its third call on."""

    def __init__(self) -> None:
        super().__init__()
        self.network = tiny()
        self.calls = 0

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) to (n, 3, 4h, 4w)."""
        self.calls += 1
        return self.network(lr) * (math.nan if self.calls > 2 else 1.0)


def test_a_loss_that_is_not_finite_fails_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailedError, match="the loss is nan before step 12"):
        fit(Broken(), AUTOTUNED, PAIRS, CPU, state=tmp_path / "training.state")
    assert list(tmp_path.iterdir()) == []


def test_too_little_memory_is_a_failed_training() -> None:
    def fail() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(TrainingFailedError, match="too little memory for this network, batch and patch"), failures():
        fail()


@pytest.mark.parametrize("precision", ["fastest", *PRECISIONS])
@pytest.mark.parametrize("memory_format", ["fastest", *MEMORY_FORMATS])
def test_autotuning_picks_what_is_allowed_and_changes_nothing(precision: str, memory_format: str) -> None:
    recipe = replace(AUTOTUNED, precision=precision, memory_format=memory_format)
    network = tiny()
    before = copy.deepcopy(network.state_dict())
    autotuned = autotune(network, recipe, PAIRS, CPU)
    seconds = seconds_per_step(network, autotuned, PAIRS, CPU)
    assert autotuned.precision in (available_precisions(CPU) if precision == "fastest" else [precision])
    assert autotuned.memory_format in (MEMORY_FORMATS if memory_format == "fastest" else [memory_format])
    assert replace(autotuned, precision=precision, memory_format=memory_format) == recipe
    assert seconds > 0
    assert equal(network.state_dict(), before)
    assert [tensor.stride() for tensor in network.state_dict().values()] == [t.stride() for t in before.values()]
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_trainer_takes_autotuned_recipes_alone() -> None:
    with pytest.raises(ValueError, match=r"see autotune\(\)"):
        trainer(replace(AUTOTUNED, precision="fastest"))


def test_patches_larger_than_all_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="no LR picture has sides of at least 40"):
        fit(tiny(), replace(AUTOTUNED, patch=40), PAIRS, CPU)


def test_steps_are_reported_with_the_label_and_the_loss(capsys: pytest.CaptureFixture[str]) -> None:
    events: list[Event] = []
    fitted = fit(tiny(), AUTOTUNED, PAIRS, CPU, label="candidate 3", report=events.append)
    step, end = events
    assert isinstance(step, Step)
    assert (step.label, step.done, step.total, step.seconds_left) == ("candidate 3", 12, 12, 0.0)
    assert step.note == f"loss {fitted.loss:.4f}"
    assert isinstance(end, Step)
    assert end.ended
    assert capsys.readouterr() == ("", "")


def test_the_average_takes_counts_and_indices_as_they_are() -> None:
    network = nn.Module()
    network.register_buffer("kept", torch.arange(64))
    average = copy.deepcopy(network)
    averaging(0.9)(list(average.buffers()), list(network.buffers()), 5)
    assert equal(average.state_dict(), network.state_dict())


class Gated(nn.Module):
    """Frozen weights under gates that train, are drawn to 0, and note in a buffer what their gradients were."""

    def __init__(self, strength: float = 0.0) -> None:
        super().__init__()
        self.body = tiny().requires_grad_(False)
        self.gates = nn.Parameter(torch.ones(1, 3, 1, 1))
        self.register_buffer("scores", torch.zeros(3))
        self.gates.register_post_accumulate_grad_hook(self.collect)
        self.strength = strength

    def collect(self, gates: Tensor) -> None:
        assert gates.grad is not None
        self.scores += (gates * gates.grad).detach().abs().flatten()

    def penalty(self) -> Tensor:
        return self.strength * self.gates.abs().sum()

    def forward(self, lr: Tensor) -> Tensor:
        return self.body(lr) * self.gates


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_what_requires_no_gradient_stays_bit_for_bit(ema_decay: float, precision: str) -> None:
    network = Gated()
    before = copy.deepcopy(dict(network.named_parameters()))
    recipe = replace(AUTOTUNED, optimiser="adamw", weight_decay=0.1, ema_decay=ema_decay, precision=precision)
    after = dict(fit(network, recipe, PAIRS, CPU).network.named_parameters())
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert changed == ["gates"]
    assert [name for name, parameter in network.named_parameters() if parameter.grad is not None] == ["gates"]


class Clock:
    """A clock that goes on when told; all copies of a network share it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def __deepcopy__(self, _memo: object) -> "Clock":
        return self


class HeldUp(nn.Module):
    """Slow in float32 at every call, in bfloat16 at its second one alone, and then much more so."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.body = tiny()
        self.clock, self.calls = clock, 0

    def forward(self, lr: Tensor) -> Tensor:
        self.calls += 1
        if not torch.is_autocast_enabled("cpu"):
            self.clock.now += 0.05
        else:
            self.clock.now += 0.3 if self.calls == 2 else 0.04
        return self.body(lr)


def test_a_step_that_was_held_up_does_not_decide_what_is_fastest() -> None:
    clock = Clock()
    network, recipe = HeldUp(clock), replace(AUTOTUNED, precision="fastest")
    assert autotune(network, recipe, PAIRS, CPU, clock=clock).precision == "bfloat16"
    assert network.calls == 0


def test_scores_collected_while_training_are_of_the_steps_taken_alone() -> None:
    network, twin = Gated(), Gated()
    autotuned = autotune(network, replace(AUTOTUNED, precision="fastest", memory_format="fastest"), PAIRS, CPU)
    seconds_per_step(network, autotuned, PAIRS, CPU)
    assert not network.scores.any()
    assert equal(network.state_dict(), twin.state_dict())
    fit(network, AUTOTUNED, PAIRS, CPU)
    direct = Trainer(twin, AUTOTUNED, PAIRS, CPU)
    for _ in range(AUTOTUNED.steps):
        direct.step()
    assert network.scores.all()
    assert torch.equal(network.scores, twin.scores)


def test_a_penalty_trains_and_is_not_in_the_loss() -> None:
    recipe = replace(AUTOTUNED, clip_norm=0.0)
    without, strong = Trainer(Gated(), recipe, PAIRS, CPU), Trainer(Gated(strength=5.0), recipe, PAIRS, CPU)
    assert without.step().item() == strong.step().item()
    gradients = [made.network.get_parameter("gates").grad for made in (without, strong)]
    assert gradients[0] is not None
    assert torch.allclose(gradients[1], gradients[0] + 5.0)
    gates = [fit(Gated(strength), AUTOTUNED, PAIRS, CPU).network.gates for strength in (-5.0, 5.0)]
    assert gates[0].min() > 1 > gates[1].max()


def test_a_teacher_goes_with_distillation_alone() -> None:
    for distillation, teacher in ((0.5, None), (0.0, tiny())):
        recipe = replace(AUTOTUNED, distillation=distillation)
        for act in (Trainer, seconds_per_step, autotune, fit):
            with pytest.raises(ValueError, match="distillation is over 0 with a teacher alone, got 0") as caught:
                act(tiny(), recipe, PAIRS, CPU, teacher=teacher)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("distillation", [0.25, 1.0])
def test_the_distilled_loss_by_hand(distillation: float) -> None:
    recipe = replace(AUTOTUNED, loss="l2", distillation=distillation)
    lr, hr = PAIRS.patches(recipe.batch, recipe.patch, generator(recipe.seed, 0))
    sr, target = tiny()(lr), tiny(7).eval()(lr)
    expected = (1 - distillation) * F.mse_loss(sr, hr) + distillation * F.l1_loss(sr, target)
    assert trainer(recipe).step().item() == pytest.approx(expected.item(), rel=ROUNDING)


class TwoExits(nn.Module):
    """Gives its picture once as it is and once twice as bright."""

    def __init__(self) -> None:
        super().__init__()
        self.body = tiny()

    def exits(self, lr: Tensor) -> list[Tensor]:
        sr = self.body(lr)
        return [sr, 2 * sr]

    def forward(self, lr: Tensor) -> Tensor:
        return self.exits(lr)[-1]


def test_every_exit_learns_from_what_the_teacher_gives_last() -> None:
    recipe = replace(AUTOTUNED, distillation=1.0)
    lr, _ = PAIRS.patches(recipe.batch, recipe.patch, generator(recipe.seed, 0))
    sr, target = tiny()(lr), TwoExits().eval()(lr)
    expected = (F.l1_loss(sr, target) + F.l1_loss(2 * sr, target)) / 2
    made = Trainer(TwoExits(), recipe, PAIRS, CPU, teacher=TwoExits())
    assert made.step().item() == pytest.approx(expected.item(), rel=ROUNDING)


@pytest.mark.parametrize("precision", ["fastest", "bfloat16"])
def test_the_teacher_is_left_as_it_is(precision: str) -> None:
    teacher = tiny(7)
    before = copy.deepcopy(teacher.state_dict())
    recipe = replace(AUTOTUNED, distillation=0.5, precision=precision, memory_format="channels_last")
    fitted = fit(tiny(), recipe, PAIRS, CPU, teacher=teacher)
    assert math.isfinite(fitted.loss)
    assert equal(teacher.state_dict(), before)
    assert [tensor.stride() for tensor in teacher.state_dict().values()] == [t.stride() for t in before.values()]
    assert teacher.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in teacher.parameters())


def test_a_network_comes_near_to_its_teacher() -> None:
    recipe = replace(AUTOTUNED, steps=60, distillation=1.0, learning_rate=1e-2)
    fitted = fit(tiny(), recipe, PAIRS, CPU, teacher=tiny(7))
    assert fitted.loss < 0.7 * trainer(recipe).step().item()


def test_distillation_goes_on_after_a_kill_with_the_teacher_given_again(tmp_path: Path) -> None:
    recipe, state = replace(AUTOTUNED, distillation=0.5), tmp_path / "training.state"
    whole = fit(tiny(), recipe, PAIRS, CPU, teacher=tiny(7))
    killed = trainer(recipe)
    for _ in range(5):
        killed.step()
    save_state(state, killed)
    resumed = fit(tiny(seed=99), recipe, PAIRS, CPU, teacher=tiny(7), state=state)
    assert equal(resumed.network.state_dict(), whole.network.state_dict())
    with pytest.raises(ValueError, match=r"got 0\.5 and no teacher"):
        fit(tiny(), recipe, PAIRS, CPU, state=state)


def test_a_state_from_before_there_was_distillation_goes_on(tmp_path: Path) -> None:
    begun, state = trainer(), tmp_path / "training.state"
    begun.step()
    saved = begun.state()
    del saved["recipe"]["distillation"]
    torch.save(saved, state)
    fitted = fit(tiny(seed=99), AUTOTUNED, PAIRS, CPU, state=state)
    assert fitted.recipe == AUTOTUNED
    assert equal(fitted.network.state_dict(), fit(tiny(), AUTOTUNED, PAIRS, CPU).network.state_dict())

"""Whole trainings: their ends, their states, and what they leave."""

import copy
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sr.checkpoint import Checkpoint, Description, save
from sr.data.pairs import Pairs
from sr.errors import InputError
from sr.memory_format import MEMORY_FORMATS
from sr.progress import Event, Progress, Step
from sr.training.autotune import autotune, seconds_per_step
from sr.training.closed_form_output import solve_output
from sr.training.fit import fit, load_state, run, save_state, solve_last
from sr.training.losses import LOSSES
from sr.training.recipe import PRECISIONS, Recipe
from sr.training.trainer import Trainer, TrainingFailedError

pytestmark = pytest.mark.numeric

CPU = torch.device("cpu")
AUTOTUNED = Recipe(steps=12, batch=2, patch=6, warmup_steps=2, precision="float32", memory_format="contiguous")
Make = Callable[..., nn.Module]
Train = Callable[..., Trainer]
Equal = Callable[[Any, Any], bool]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("optimiser", ["adam", "adamw"])
def test_fit_lowers_the_loss(tiny: Make, pairs: Pairs, trainer: Train, loss: Any, optimiser: Any) -> None:
    recipe = replace(AUTOTUNED, steps=60, loss=loss, optimiser=optimiser, learning_rate=1e-2)
    first = trainer(recipe).step().item()
    network = tiny()
    fitted = fit(network, recipe, pairs, CPU)
    assert fitted.loss < 0.7 * first
    assert fitted.network is network
    assert not any(module.training for module in fitted.network.modules())
    assert fitted.recipe == recipe
    assert fitted.seconds > 0


def test_equal_seeds_give_equal_networks_and_others_do_not(tiny: Make, pairs: Pairs, equal: Equal) -> None:
    results = [fit(tiny(), replace(AUTOTUNED, seed=seed), pairs, CPU) for seed in (5, 5, 6)]
    states = [fitted.network.state_dict() for fitted in results]
    assert equal(states[0], states[1])
    assert results[0].loss == results[1].loss
    assert not equal(states[0], states[2])


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
    trainer: Train, equal: Equal, tmp_path_factory: pytest.TempPathFactory, recipe: Recipe, interrupted_after: int
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
    tiny: Make,
    pairs: Pairs,
    trainer: Train,
    equal: Equal,
    killed_at: int,
    ema_decay: float,
    solve_output: bool,
    tmp_path: Path,
) -> None:
    recipe = replace(AUTOTUNED, steps=55, ema_decay=ema_decay, solve_output=solve_output)
    state = tmp_path / "training.state"
    whole = fit(tiny(), recipe, pairs, CPU)
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
    resumed = fit(tiny(seed=99), recipe, pairs, CPU, state=state)
    assert resumed.loss == whole.loss
    assert equal(resumed.network.state_dict(), whole.network.state_dict())
    assert [path.name for path in tmp_path.iterdir()] == ["training.state"]


def test_the_output_is_solved_for_after_the_last_step_on_patches_that_no_step_saw(
    tiny: Make, pairs: Pairs, trainer: Train, equal: Equal
) -> None:
    plain, numbers = fit(tiny(), replace(AUTOTUNED, steps=48), pairs, CPU), []
    beside = trainer(replace(AUTOTUNED, steps=48))

    def patches(number: int) -> tuple[Tensor, Tensor]:
        numbers.append(number)
        return beside.patches(48 + number)

    assert solve_output(plain.network, patches, 12)
    # The first one also tells what is solved for.
    assert numbers == [0, *range(12)]
    solved = fit(tiny(), replace(AUTOTUNED, steps=48, solve_output=True), pairs, CPU)
    assert equal(solved.network.state_dict(), plain.network.state_dict())
    assert solved.loss == plain.loss


def test_last_layer_of_a_trained_network_is_solved_for_as_at_the_end_of_its_training(
    tiny: Make, pairs: Pairs, equal: Equal
) -> None:
    recipe = replace(AUTOTUNED, steps=48, solve_output=True)
    plain = fit(tiny(), replace(recipe, solve_output=False), pairs, CPU).network
    assert solve_last(plain, recipe, pairs, CPU)
    assert equal(plain.state_dict(), fit(tiny(), recipe, pairs, CPU).network.state_dict())
    assert not any(module.training for module in plain.modules())


def test_what_was_autotuned_stays_so_after_a_kill(tiny: Make, pairs: Pairs, trainer: Train, tmp_path: Path) -> None:
    open_recipe = replace(AUTOTUNED, steps=5, precision="fastest", memory_format="fastest")
    begun = trainer(replace(open_recipe, precision="bfloat16", memory_format="channels_last"))
    begun.step()
    save_state(tmp_path / "training.state", begun)
    fitted = fit(tiny(), open_recipe, pairs, CPU, state=tmp_path / "training.state")
    assert (fitted.recipe.precision, fitted.recipe.memory_format) == ("bfloat16", "channels_last")


def test_the_last_state_still_leaves_a_step_to_take(
    tiny: Make, pairs: Pairs, trainer: Train, equal: Equal, tmp_path: Path
) -> None:
    recipe, state = replace(AUTOTUNED, steps=40), tmp_path / "training.state"
    made = trainer(recipe)
    loss = run(made, state, Progress("training", recipe.steps), save_seconds=0.0)
    again = fit(tiny(), recipe, pairs, CPU, state=state)
    assert math.isfinite(loss)
    assert again.loss == loss
    assert equal(again.network.state_dict(), made.network.state_dict())


def test_no_state_begins_anew(tiny: Make, pairs: Pairs, tmp_path: Path) -> None:
    assert load_state(tmp_path / "absent.state", AUTOTUNED) is None
    fitted = fit(tiny(), AUTOTUNED, pairs, CPU, state=tmp_path / "absent.state")
    assert math.isfinite(fitted.loss)


def refused(network: nn.Module, recipe: Recipe, pairs: Pairs, state: Path) -> str:
    with pytest.raises(InputError) as caught:
        fit(network, recipe, pairs, CPU, state=state)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_state_of_another_training_is_refused(tiny: Make, pairs: Pairs, trainer: Train, tmp_path: Path) -> None:
    state = tmp_path / "training.state"
    save_state(state, trainer())
    assert "of a training with another recipe" in refused(tiny(), replace(AUTOTUNED, steps=13), pairs, state)
    assert "of another network" in refused(
        nn.Sequential(nn.Conv2d(3, 48, 1), nn.PixelShuffle(4)), AUTOTUNED, pairs, state
    )


def test_what_is_no_state_is_refused(tiny: Make, pairs: Pairs, tmp_path: Path) -> None:
    state = tmp_path / "training.state"
    state.write_text("no state")
    assert "is no state of a training" in refused(tiny(), AUTOTUNED, pairs, state)
    torch.save({"weight": torch.ones(1)}, state)
    assert "is no state of a training" in refused(tiny(), AUTOTUNED, pairs, state)
    torch.save({"recipe": asdict(AUTOTUNED) | {"steps": 0}}, state)
    assert "is no state of a training" in refused(tiny(), AUTOTUNED, pairs, state)
    torch.save(tiny(), state)
    assert "is no state of a training" in refused(tiny(), AUTOTUNED, pairs, state)


def test_a_checkpoint_of_the_same_recipe_is_no_state(tiny: Make, pairs: Pairs, tmp_path: Path) -> None:
    description = Description("baseline", {"name": "rfdn", "num_feat": 8})
    path = tmp_path / "net.pth"
    save(path, Checkpoint(description, description.build().state_dict(), recipe=asdict(AUTOTUNED)))
    assert "remove it to start anew" in refused(tiny(), AUTOTUNED, pairs, path)


class Broken(nn.Module):
    """Gives NaN from its third call on."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.calls = 0

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) to (n, 3, 4h, 4w)."""
        self.calls += 1
        return self.network(lr) * (math.nan if self.calls > 2 else 1.0)


def test_a_loss_that_is_not_finite_fails_with_its_reason(tiny: Make, pairs: Pairs, tmp_path: Path) -> None:
    with pytest.raises(TrainingFailedError, match="the loss is nan before step 12"):
        fit(Broken(tiny()), AUTOTUNED, pairs, CPU, state=tmp_path / "training.state")
    assert list(tmp_path.iterdir()) == []


def test_patches_larger_than_all_pictures_are_refused(tiny: Make, pairs: Pairs) -> None:
    with pytest.raises(ValueError, match="no LR picture has sides of at least 40"):
        fit(tiny(), replace(AUTOTUNED, patch=40), pairs, CPU)


def test_steps_are_reported_with_the_label_and_the_loss(
    tiny: Make, pairs: Pairs, capsys: pytest.CaptureFixture[str]
) -> None:
    events: list[Event] = []
    fitted = fit(tiny(), AUTOTUNED, pairs, CPU, label="candidate 3", report=events.append)
    step, end = events
    assert isinstance(step, Step)
    assert (step.label, step.done, step.total, step.seconds_left) == ("candidate 3", 12, 12, 0.0)
    assert step.note == f"loss {fitted.loss:.4f}"
    assert isinstance(end, Step)
    assert end.ended
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_what_requires_no_gradient_stays_bit_for_bit(
    pairs: Pairs, gated: Make, ema_decay: float, precision: str
) -> None:
    network = gated()
    before = copy.deepcopy(dict(network.named_parameters()))
    recipe = replace(AUTOTUNED, optimiser="adamw", weight_decay=0.1, ema_decay=ema_decay, precision=precision)
    after = dict(fit(network, recipe, pairs, CPU).network.named_parameters())
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert changed == ["gates"]
    assert [name for name, parameter in network.named_parameters() if parameter.grad is not None] == ["gates"]


def test_scores_collected_while_training_are_of_the_steps_taken_alone(pairs: Pairs, gated: Make, equal: Equal) -> None:
    network, twin = gated(), gated()
    autotuned = autotune(network, replace(AUTOTUNED, precision="fastest", memory_format="fastest"), pairs, CPU)
    seconds_per_step(network, autotuned, pairs, CPU)
    assert not network.scores.any()
    assert equal(network.state_dict(), twin.state_dict())
    fit(network, AUTOTUNED, pairs, CPU)
    direct = Trainer(twin, AUTOTUNED, pairs, CPU)
    for _ in range(AUTOTUNED.steps):
        direct.step()
    assert network.scores.all()
    assert torch.equal(network.scores, twin.scores)


@pytest.mark.parametrize("precision", ["fastest", "bfloat16"])
def test_the_teacher_is_left_as_it_is(tiny: Make, pairs: Pairs, equal: Equal, precision: str) -> None:
    teacher = tiny(7)
    before = copy.deepcopy(teacher.state_dict())
    recipe = replace(AUTOTUNED, distillation=0.5, precision=precision, memory_format="channels_last")
    fitted = fit(tiny(), recipe, pairs, CPU, teacher=teacher)
    assert math.isfinite(fitted.loss)
    assert equal(teacher.state_dict(), before)
    assert [tensor.stride() for tensor in teacher.state_dict().values()] == [t.stride() for t in before.values()]
    assert teacher.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in teacher.parameters())


def test_a_network_comes_near_to_its_teacher(tiny: Make, pairs: Pairs, trainer: Train) -> None:
    recipe = replace(AUTOTUNED, steps=60, distillation=1.0, learning_rate=1e-2)
    fitted = fit(tiny(), recipe, pairs, CPU, teacher=tiny(7))
    assert fitted.loss < 0.7 * trainer(recipe).step().item()


def test_distillation_goes_on_after_a_kill_with_the_teacher_given_again(
    tiny: Make, pairs: Pairs, trainer: Train, equal: Equal, tmp_path: Path
) -> None:
    recipe, state = replace(AUTOTUNED, distillation=0.5), tmp_path / "training.state"
    whole = fit(tiny(), recipe, pairs, CPU, teacher=tiny(7))
    killed = trainer(recipe)
    for _ in range(5):
        killed.step()
    save_state(state, killed)
    resumed = fit(tiny(seed=99), recipe, pairs, CPU, teacher=tiny(7), state=state)
    assert equal(resumed.network.state_dict(), whole.network.state_dict())
    with pytest.raises(ValueError, match=r"got 0\.5 and no teacher"):
        fit(tiny(), recipe, pairs, CPU, state=state)


def test_a_state_from_before_there_was_distillation_goes_on(
    tiny: Make, pairs: Pairs, trainer: Train, equal: Equal, tmp_path: Path
) -> None:
    begun, state = trainer(), tmp_path / "training.state"
    begun.step()
    saved = begun.state()
    del saved["recipe"]["distillation"]
    torch.save(saved, state)
    fitted = fit(tiny(seed=99), AUTOTUNED, pairs, CPU, state=state)
    assert fitted.recipe == AUTOTUNED
    assert equal(fitted.network.state_dict(), fit(tiny(), AUTOTUNED, pairs, CPU).network.state_dict())

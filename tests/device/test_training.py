"""Trainings on a device that is no CPU: everything that an operator takes lies there, and is done under its lock."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import portalocker
import pytest
import torch
from torch import nn

from sr.data.pairs import Pairs
from sr.measure.device_lock import lock_file, training_on
from sr.measure.quality import qualities
from sr.seeds import generator
from sr.training.average import WeightAverage
from sr.training.batches import PinnedBatches
from sr.training.closed_form_output import solve_output
from sr.training.deployed_fit import fit_deployed
from sr.training.fit import fit, load_state, save_state
from sr.training.recipe import OPTIMISERS, Recipe
from sr.training.trainer import Trainer

RECIPE = Recipe(steps=3, batch=2, patch=6, warmup_steps=1, precision="float32", memory_format="contiguous")
HINTS = get_type_hints(Recipe)


def tiny() -> nn.Module:
    """A network with buffers, floating and whole."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 48, 3, padding=1), nn.PixelShuffle(4)
    )


def options() -> list[dict[str, Any]]:
    """Return recipes that between them have every option at every choice."""
    choices = {name: get_args(HINTS[name]) for name in ("loss", "optimiser", "schedule")}
    varied = [{name: choice} for name, every in choices.items() for choice in every]
    return [
        *varied,
        {"memory_format": "channels_last"},
        {"precision": "bfloat16"},
        {"ema_decay": 0.9},
        {"clip_norm": 0.0, "weight_decay": 1e-4},
        {"distillation": 0.5},
    ]


@pytest.mark.parametrize("option", options(), ids=str)
@pytest.mark.parametrize("resident", [True, False])
def test_steps_of_every_recipe(gpu: torch.device, pairs: Pairs, option: dict[str, Any], resident: bool) -> None:
    recipe = replace(RECIPE, **option)
    trainer = Trainer(
        tiny(), recipe, pairs.to(gpu) if resident else pairs, gpu, teacher=tiny() if recipe.distillation else None
    )
    for _ in range(2):
        assert trainer.step().device == gpu
    assert all(each.device == gpu for each in trainer.trained().state_dict().values())


def test_every_choice_of_a_recipe_is_among_the_options() -> None:
    assert set(OPTIMISERS) == {each["optimiser"] for each in options() if "optimiser" in each}


def test_average_follows_without_work_on_the_cpu(gpu: torch.device, strictly: Callable[[], Any]) -> None:
    """A count on the CPU, brought to a GPU in each step, would wait for all that is under way there."""
    network = tiny().to(gpu)
    average = WeightAverage(network, 0.9)
    with strictly():
        for step in range(3):
            average.update(network, first=step == 0)


def test_batches_cut_ahead_go_to_the_device_in_bytes(gpu: torch.device, pairs: Pairs) -> None:
    batches = PinnedBatches(pairs, 5, lambda number: pairs.draw(2, 5, generator(0, number)), pin=False)
    lr, hr = (each.to(gpu) for each in batches.batch(0))
    assert (lr.dtype, hr.shape[-1]) == (torch.uint8, 20)


@pytest.mark.filterwarnings("ignore:for .*copying from a non-meta parameter:UserWarning")
@pytest.mark.parametrize("option", [{}, {"ema_decay": 0.9}, {"distillation": 0.5}, {"solve_output": True}], ids=str)
def test_fit_and_its_state(gpu: torch.device, pairs: Pairs, tmp_path: Path, option: dict[str, Any]) -> None:
    recipe, state = replace(RECIPE, **option), tmp_path / "state"
    teacher = tiny() if recipe.distillation else None
    fitted = fit(tiny(), recipe, pairs.to(gpu), gpu, teacher=teacher)
    assert all(each.device == gpu for each in fitted.network.state_dict().values())
    trainer = Trainer(tiny(), recipe, pairs, gpu, teacher=teacher)
    trainer.step()
    save_state(state, trainer)
    saved = load_state(state, recipe)
    assert saved is not None
    trainer.restore(saved)
    trainer.step()


def test_fit_up_to_the_deployed_form(gpu: torch.device, pairs: Pairs) -> None:
    fitted = fit_deployed(tiny(), replace(RECIPE, solve_output=True), pairs.to(gpu), gpu)
    assert all(each.device == gpu for each in fitted.network.state_dict().values())
    assert not fitted.unsolved


def test_last_layer_is_solved_for_where_it_lies(gpu: torch.device) -> None:
    network = tiny().eval().to(gpu)

    def patches(_number: int) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(2, 3, 6, 6, device=gpu), torch.zeros(2, 3, 24, 24, device=gpu)

    solve_output(network, patches, 4)
    assert all(each.device == gpu for each in network.parameters())


@pytest.mark.parametrize("solve_output", [False, True])
def test_nothing_of_a_training_is_done_outside_the_lock(
    locked_gpu: torch.device, pairs: Pairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, solve_output: bool
) -> None:
    # Each chunk is written, and only once.
    monkeypatch.setattr("sr.training.fit.run.__defaults__", (0.0,))
    recipe = replace(RECIPE, steps=25, ema_decay=0.9, solve_output=solve_output)
    fit(tiny(), recipe, pairs, locked_gpu, state=tmp_path / "state")
    assert (tmp_path / "state").exists()


def test_pictures_are_judged_under_the_lock_and_others_measure_in_between(
    locked_gpu: torch.device, pairs: Pairs
) -> None:
    with training_on(locked_gpu):
        network = tiny().to(locked_gpu)
    for index, quality in enumerate(qualities(network, pairs, locked_gpu)):
        assert quality.pictures == 1
        if index == 0:
            with lock_file(locked_gpu, "use") as handle:
                portalocker.lock(handle, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)

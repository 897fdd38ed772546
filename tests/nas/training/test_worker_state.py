"""The work of a process that trains: a task trained and judged, and a training that is timed."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nas.evaluate import Setup
from nas.successive_halving import Ladder
from nas.training.rung_training import train_to_rung
from nas.training.task import RungGoal, TrainingTask
from nas.training.worker_state import WorkerState
from search_spaces.msrresnet import repeated
from search_spaces.network import untrained
from sr.deployment import in_dtype
from sr.measure.quality import evaluate
from sr.training.fit import fit

pytestmark = pytest.mark.numeric

TINY = repeated(8, "branched_conv", 1)


def test_task_without_a_goal_takes_all_steps_of_its_recipe(tiny: Setup) -> None:
    torch.manual_seed(tiny.recipe.seed)
    network = fit(untrained(TINY), tiny.recipe, tiny.train, tiny.target.device).network
    result = WorkerState(tiny).train(TrainingTask(TINY, tiny.recipe))
    assert result.quality == evaluate(network, tiny.val, with_ssim=False)
    assert result.seconds > 0
    assert result.reason == ""


def test_task_with_a_goal_trains_to_that_rung(tiny: Setup, tmp_path: Path) -> None:
    steps = Ladder((3, 6), 2)
    fitted = train_to_rung(TINY, 1, steps, tiny.recipe, tiny.train, tiny.target.device, tmp_path / "by hand")
    task = TrainingTask(TINY, tiny.recipe, RungGoal(1, steps, tmp_path))
    assert WorkerState(tiny).train(task).quality == evaluate(fitted.network, tiny.val, with_ssim=False)


def test_network_is_judged_in_the_dtype_of_the_target(tiny: Setup) -> None:
    half = replace(tiny, target=replace(tiny.target, dtype="bfloat16"))
    torch.manual_seed(tiny.recipe.seed)
    network = fit(untrained(TINY), tiny.recipe, tiny.train, tiny.target.device).network
    expected = evaluate(in_dtype(network, "bfloat16"), tiny.val, with_ssim=False)
    assert WorkerState(half).train(TrainingTask(TINY, tiny.recipe)).quality == expected


def test_steps_go_on_after_a_warm_up(tiny: Setup) -> None:
    state = WorkerState(tiny)
    state.warm_up(TINY, tiny.recipe)
    state.take_steps(2)

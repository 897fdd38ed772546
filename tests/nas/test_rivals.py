"""Hand-designed networks of the same budget: which are asked for, found and trained alike."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from baselines import build
from baselines.at_budget import Size, scalable_families, sizes_of
from baselines.registry import BASELINES
from nas.config.search import SearchConfig
from nas.evaluate import Setup
from nas.rivals import SHOWN, check_rivals, rivals_of, trained_alike
from nas.training.worker_state import WorkerState
from sr.checkpoint import Checkpoint, Description, save
from sr.deployment import deploy
from sr.errors import InputError
from sr.executors.executor import WorkerDiedError
from sr.executors.in_process import InThisProcess
from sr.measure.latency_model import USUAL
from sr.progress import Event, Message

SMALL = {"num_feat": 8, "num_block": 1}


@pytest.fixture
def member() -> Size:
    return Size("ecbsr", SMALL, 0, 0.0)


def test_families_are_checked_by_name() -> None:
    for rivals in ((), ("all",), ("ecbsr", "span")):
        check_rivals(SearchConfig(budget_ms=40.0, rivals=rivals))
    with pytest.raises(InputError, match=r"--rivals takes all, or of .*ecbsr.* with commas between; got 'nosuch'"):
        check_rivals(SearchConfig(budget_ms=40.0, rivals=("ecbsr", "nosuch")))
    everything = SearchConfig(budget_ms=40.0, rivals=("all",))
    assert everything.rivals_of(scalable_families()) == scalable_families()


def test_rivals_are_the_largest_members_predicted_within_the_budget(setup: Setup) -> None:
    (found,) = rivals_of(("ecbsr",), setup, USUAL)
    assert found.name == "ecbsr"
    assert 0 < found.predicted_ms <= setup.budget_ms
    assert rivals_of(("ecbsr",), replace(setup, budget_ms=1e-9), USUAL) == []


def test_rivals_have_the_scale_that_is_searched(setup_at_x2: Setup) -> None:
    (found,) = rivals_of(("ecbsr",), setup_at_x2, USUAL)
    assert found.build()(torch.rand(1, 3, 16, 24)).shape == (1, 3, 32, 48)
    quality = trained_alike([found], ("ecbsr",), setup_at_x2.recipe, setup_at_x2, setup_at_x2.val)
    assert math.isfinite(quality[found.title].psnr)


def test_families_without_the_scale_are_refused_by_name() -> None:
    lacking = [name for name in scalable_families() if name not in scalable_families(2)]
    check_rivals(SearchConfig(budget_ms=40.0, scale=2, rivals=("all",)))
    for name in lacking:
        with pytest.raises(InputError, match=rf"--rivals takes all, or of .* \(those at x2\) .*; got '{name}'"):
            check_rivals(SearchConfig(budget_ms=40.0, scale=2, rivals=(name,)))


def test_shown_families_can_be_scaled() -> None:
    assert set(SHOWN) <= set(scalable_families())


@pytest.mark.parametrize("solve_output", [True, False])
def test_member_is_trained_in_its_training_form_for_the_same_steps(
    solve_output: bool, setup: Setup, member: Size
) -> None:
    events: list[Event] = []
    recipe = replace(setup.recipe, steps=6, solve_output=solve_output)
    found = trained_alike([member], ("ecbsr",), recipe, setup, setup.val, events.append)
    (title,) = found
    assert title == "ecbsr num_feat=8 num_block=1" == member.title
    assert math.isfinite(found[title].psnr)
    assert math.isfinite(found[title].psnr_y)
    # The same again is the same, and twice the steps are not.
    assert trained_alike([member], ("ecbsr",), recipe, setup, setup.val) == found
    assert trained_alike([member], ("ecbsr",), replace(recipe, steps=12), setup, setup.val) != found


def test_rivals_of_a_network_with_a_teacher_have_it_too(setup: Setup, member: Size, tmp_path: Path) -> None:
    taught, teacher = replace(setup.recipe, distillation=0.5), tmp_path / "teacher.pth"
    save(teacher, Checkpoint(Description("baseline", {"name": "ecbsr", **SMALL}), build("ecbsr", **SMALL).state_dict()))
    alone = trained_alike([member], ("ecbsr",), setup.recipe, setup, setup.val)
    found = trained_alike([member], ("ecbsr",), taught, setup, setup.val, teacher=teacher)
    assert found.keys() == alone.keys()
    assert found != alone


def test_others_train_the_same_and_one_whose_worker_dies_has_no_psnr(
    setup: Setup, member: Size, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = trained_alike([member], ("ecbsr",), setup.recipe, setup, setup.val)
    kept, said = dict[str, nn.Module](), list[Event]()
    pool = InThisProcess(WorkerState(setup))
    found = trained_alike([member], ("ecbsr",), setup.recipe, setup, setup.val, keep=kept.__setitem__, pool=pool)
    assert found == alone
    assert kept.keys() == found.keys()

    def died(_: WorkerState) -> None:
        raise WorkerDiedError("3 workers died at it")

    monkeypatch.setattr(WorkerState, "place", died)
    assert trained_alike([member], ("ecbsr",), setup.recipe, setup, setup.val, said.append, pool=pool) == {}
    assert [str(event) for event in said] == [f"{member.title} has no PSNR: 3 workers died at it"]


def test_families_that_are_not_asked_for_are_not_trained(setup: Setup, member: Size) -> None:
    assert trained_alike([member], ("span",), setup.recipe, setup, setup.val) == {}
    assert trained_alike([], ("ecbsr",), setup.recipe, setup, setup.val) == {}


def test_training_that_fails_leaves_out_its_psnr_and_says_so(setup: Setup, member: Size) -> None:
    events: list[Event] = []
    wild = replace(setup.recipe, learning_rate=1e38, warmup_steps=0, clip_norm=0.0, steps=60)
    assert trained_alike([member], ("ecbsr",), wild, setup, setup.val, events.append) == {}
    said = [event.text for event in events if isinstance(event, Message)]
    assert any(line.startswith("ecbsr num_feat=8 num_block=1 has no PSNR: the loss is ") for line in said)


def test_member_is_built_in_the_form_that_runs(member: Size) -> None:
    network = member.build()
    assert set(network.state_dict()) == set(deploy(network).state_dict())
    assert network(torch.rand(1, 3, 16, 24)).shape == (1, 3, 64, 96)


@pytest.mark.parametrize("name", scalable_families())
def test_weights_of_a_member_that_was_trained_elsewhere_fit_the_form_that_runs(name: str) -> None:
    config = sizes_of(name)[0]
    trained, runs = (
        {key: tensor.shape for key, tensor in deploy(build(name, **{**config, **form})).state_dict().items()}
        for form in (BASELINES[name].training_form, {})
    )
    assert trained == runs

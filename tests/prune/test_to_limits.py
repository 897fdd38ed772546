"""That every method comes to a slim network within its limits."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from baselines import build
from prune.chosen import chosen_before
from prune.config import CHANNEL_ORDERS
from prune.graph.liveness import channel_liveness, everything
from prune.graph.plan import Plan
from prune.graph.tracing import Graph, trace
from prune.methods import Variant
from prune.nearest import badness, is_met
from prune.planning.arm_time import ArmTime
from prune.rewrite.execution import Measurer
from prune.runtime_ratio import BesideDense
from prune.scoring.schedule import Schedule
from prune.selection.costs import Costs
from prune.selection.latency_steps import CostTable
from prune.setup import Setup
from prune.to_limits import prune_to_limits
from sr.data.pairs import Pairs, pack
from sr.errors import InputError
from sr.measure.complexity import count
from sr.measure.target import Target
from sr.progress import Event, Message, Step
from tests.prune.by_multi_adds import by_multi_adds

CPU = torch.device("cpu")
TARGET = Target(CPU, (24, 24))
SHARED, BLENDED, INDEPENDENT = (Variant("per-layer", order) for order in ("shared", "blended", "independent"))
GROUP, MAGNITUDE = Variant("group"), Variant("magnitude")
ALL = [*(Variant("per-layer", order) for order in CHANNEL_ORDERS), GROUP, MAGNITUDE]
SHORT = Schedule(rounds=2, tick_steps=2, tock_steps=2, batch=2, patch=8)

# How far two float32 orders of summation may lie apart: a dot product of n terms errs by n times the unit roundoff at
# most, and over the depth these add up; 19 convolutions of the deeper network read 8 channels, 3x3 at the most.
ROUNDING = torch.finfo(torch.float32).eps * 19 * 8 * 9


NETWORKS = {"msrresnet": {"num_block": 1}, "hcsrn": {"num_block1": 1, "num_block2": 1}}
Name = Literal["msrresnet", "hcsrn"]


@cache
def traced(name: Name) -> Graph:
    torch.manual_seed(0)
    return trace(build(name, num_feat=8, **NETWORKS[name]))


def graph(name: Name = "msrresnet") -> Graph:
    return traced(name)


@cache
def tensors(name: Name) -> dict[str, torch.Tensor]:
    return {key: tensor.clone() for key, tensor in graph(name).module.state_dict().items()}


def noise() -> Pairs:
    random = torch.Generator().manual_seed(0)
    lr = [torch.randint(0, 256, (*size, 3), generator=random, dtype=torch.uint8) for size in ((16, 18), (20, 16))]
    return Pairs(("a", "b"), pack(lr), pack([small.repeat_interleave(4, 0).repeat_interleave(4, 1) for small in lr]))


PAIRS = noise()


def setup(name: Name = "msrresnet", **changes: Any) -> Setup:
    costs = changes.pop("costs", None) or Costs(graph(name), (24, 24))
    base = Setup(
        graph(name), tensors(name), everything(graph(name)), costs, {"params": 0.5 * costs.dense["params"]}, SHORT,
        PAIRS, PAIRS, TARGET, Measurer(TARGET, "contiguous", by_multi_adds),
    )  # fmt: skip
    return replace(base, **changes)


def kept_params(plan: Plan, name: Name = "msrresnet") -> float:
    costs = Costs(graph(name), (24, 24))
    return costs.of(channel_liveness(graph(name), plan.kept), "params")


@pytest.mark.numeric
@pytest.mark.parametrize("variant", ALL, ids=lambda variant: variant.folder)
def test_every_method_meets_a_limit_and_slims_exactly(variant: Variant, tmp_path: Path) -> None:
    begun = setup("hcsrn")
    pruned = prune_to_limits(variant, begun, tmp_path, None)
    # Most of what the limit leaves is used.
    assert 0.8 * begun.limits["params"] <= kept_params(pruned.plan, "hcsrn") <= begun.limits["params"]
    assert pruned.difference < ROUNDING
    params = count(pruned.network, (24, 24)).params
    # A contiguous slice of channels may hold some that the plan drops.
    assert params < 0.75 * count(begun.dense(), (24, 24)).params
    with torch.no_grad():
        assert pruned.network(torch.rand(1, 3, 10, 14)).shape == (1, 3, 40, 56)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["execution.json", "gates.state", "plan.json"]


@pytest.mark.numeric
def test_all_methods_begin_with_the_same_weights(tmp_path: Path) -> None:
    begun = setup(schedule=replace(SHORT, rounds=1))
    first = prune_to_limits(INDEPENDENT, begun, tmp_path / "first", None)
    prune_to_limits(MAGNITUDE, begun, tmp_path / "between", None)
    again = prune_to_limits(INDEPENDENT, begun, tmp_path / "again", None)
    assert first.plan.kept.keys() == again.plan.kept.keys()
    lr = torch.rand(1, 3, 12, 12)
    with torch.no_grad():
        assert torch.equal(begun.dense()(lr), setup().dense()(lr))


def test_what_was_chosen_is_not_chosen_again(tmp_path: Path) -> None:
    """How convolutions run is chosen by measuring: a second one might differ, and what was trained not fit it."""
    begun = setup()
    first = prune_to_limits(SHARED, begun, tmp_path, None)
    untimed = replace(begun, measurer=Measurer(Target(torch.device("meta"), (24, 24)), "contiguous"))
    again = prune_to_limits(SHARED, untimed, tmp_path, None)
    assert again.plan == first.plan
    assert list(again.choices) == list(first.choices)
    assert first.network.state_dict().keys() == again.network.state_dict().keys()
    for name, tensor in again.network.state_dict().items():
        assert torch.equal(tensor, first.network.state_dict()[name])
    # Without the weights that it stands on a plan is of no use.
    (tmp_path / "gates.state").unlink()
    assert chosen_before(tmp_path) is None


def test_a_pruned_network_is_pruned_on(tmp_path: Path) -> None:
    begun = setup()
    once = prune_to_limits(INDEPENDENT, begun, tmp_path / "once", None)
    less = replace(begun, kept=once.plan.kept, limits={"params": 0.3 * begun.costs.dense["params"]})
    twice = prune_to_limits(INDEPENDENT, less, tmp_path / "twice", None)
    assert kept_params(twice.plan) <= less.limits["params"]
    for name, kept in twice.plan.kept.items():
        assert set(kept.inputs) <= set(once.plan.kept[name].inputs)
        assert set(kept.outputs) <= set(once.plan.kept[name].outputs)


def test_several_limits_are_met_at_once(tmp_path: Path) -> None:
    dense = Costs(graph(), (24, 24)).dense
    limits = {"params": 0.7 * dense["params"], "activations": 0.6 * dense["activations"]}
    pruned = prune_to_limits(BLENDED, setup(limits=limits), tmp_path, None)
    followed = channel_liveness(graph(), pruned.plan.kept)
    for metric, limit in limits.items():
        assert Costs(graph(), (24, 24)).of(followed, metric) <= limit


def timed(monkeypatch: pytest.MonkeyPatch, error: float = 1.0) -> Setup:
    """Return a pruning to 0.6 of the runtime where networks take `error` times what their steps are predicted to."""
    costs = Costs(graph(), (24, 24), CostTable(TARGET, "contiguous", None, time_works=by_multi_adds))

    def taken(beside: BesideDense, pairs: int) -> list[float]:
        dense_ms, slim_ms = by_multi_adds([runner.execute for runner in (beside.dense, beside.slim[0])], CPU)
        return [error * slim_ms / dense_ms] * pairs

    monkeypatch.setattr(BesideDense, "ratios", taken)
    # What is fastest to train in may be another one each time.
    autotuned = {"precision": "float32", "memory_format": "contiguous"}
    return setup(costs=costs, limits={"runtime": 0.6}, autotuned=autotuned)


@pytest.mark.numeric
@pytest.mark.parametrize("error", [0.9, 1.2])
@pytest.mark.parametrize("variant", [SHARED, GROUP], ids=lambda variant: variant.folder)
def test_a_runtime_is_met_by_measuring(
    variant: Variant, error: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = timed(monkeypatch, error)
    pruned = prune_to_limits(variant, begun, tmp_path, None)
    assert pruned.difference < ROUNDING
    reached = pruned.reached
    assert reached is not None
    # On the mark, or as near as the neighbours allow.
    sides = [each for each in (reached.below, reached.above) if each is not None]
    assert badness(reached.ratio / 0.6) == min(badness(each / 0.6) for each in sides)
    assert is_met(reached.ratio / 0.6) or reached.nothing_between
    # What was chosen before the last tock is what lies on disk and is not chosen again.
    untimed = replace(begun, measurer=Measurer(Target(torch.device("meta"), (24, 24)), "contiguous"))
    again = prune_to_limits(variant, untimed, tmp_path, None)
    assert (again.plan, again.reached) == (pruned.plan, reached)
    for name, tensor in again.network.state_dict().items():
        assert torch.equal(tensor, pruned.network.state_dict()[name])


def test_a_kill_after_the_last_choice_leaves_that_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, Step) and event.label.endswith("round 2 of 2, tock"):
            raise KeyboardInterrupt

    begun = timed(monkeypatch)
    whole = prune_to_limits(SHARED, begun, tmp_path / "whole", None)
    with pytest.raises(KeyboardInterrupt):
        prune_to_limits(SHARED, replace(begun, report=interrupt), tmp_path / "killed", None)
    monkeypatch.setattr(BesideDense, "ratios", None)
    resumed = prune_to_limits(SHARED, begun, tmp_path / "killed", None)
    assert (resumed.plan, resumed.reached) == (whole.plan, whole.reached)
    for name, tensor in resumed.network.state_dict().items():
        assert torch.equal(tensor, whole.network.state_dict()[name])


def test_a_floor_ends_the_rounds_before_it_is_crossed(tmp_path: Path) -> None:
    limits = {"params": 0.1 * Costs(graph(), (24, 24)).dense["params"]}
    low = prune_to_limits(INDEPENDENT, setup(limits=limits, psnr_floor=-100.0), tmp_path / "low", None)
    assert kept_params(low.plan) <= limits["params"]
    high = prune_to_limits(INDEPENDENT, setup(limits=limits, psnr_floor=100.0), tmp_path / "high", None)
    assert high.plan.kept == channel_liveness(graph(), everything(graph())).kept
    # As often as it is asked.
    assert (
        prune_to_limits(INDEPENDENT, setup(limits=limits, psnr_floor=100.0), tmp_path / "high", None).plan == high.plan
    )


def test_rounds_whose_time_runs_out_go_all_the_way_and_say_so(tmp_path: Path) -> None:
    # The first round takes 9 seconds of 10.
    clock = iter([0.0, 0.0, 9.0])
    told: list[Event] = []
    begun = setup(schedule=replace(SHORT, rounds=4), report=told.append)
    pruned = prune_to_limits(
        SHARED, begun, tmp_path, None, ArmTime(10.0, round_seconds=1.0, clock=lambda: next(clock))
    )  # fmt: skip
    assert kept_params(pruned.plan) <= begun.limits["params"]
    lines = [event.text for event in told if isinstance(event, Message)]
    assert lines == [
        "per-layer (shared): time runs short: 1 of 3 rounds that were left, of 2 + 2 steps, go all the way"
    ]  # fmt: skip
    labels = dict.fromkeys(event.label for event in told if isinstance(event, Step))
    assert [label for label in labels if label.endswith("tock")] == [
        "per-layer (shared), round 1 of 4, tock", "per-layer (shared), round 2 of 2, tock",
    ]  # fmt: skip


def test_a_network_that_groups_cannot_be_found_in_is_named(tmp_path: Path) -> None:
    other = trace(build("imdn", num_feat=16, num_block=2))
    costs = Costs(other, (24, 24))
    begun = setup(costs=costs, graph=other, tensors=dict(other.module.state_dict()), kept=everything(other))
    for variant in (GROUP, MAGNITUDE):
        with pytest.raises(InputError, match="torch-pruning cannot prune") as caught:
            prune_to_limits(variant, begun, tmp_path / variant.folder, None)
        assert "\n" not in str(caught.value)


def test_a_limit_below_what_can_be_left_is_named(tmp_path: Path) -> None:
    costs = Costs(graph(), (24, 24), CostTable(TARGET, "contiguous", None, time_works=by_multi_adds))
    with pytest.raises(InputError, match="no plan of this network stays within"):
        prune_to_limits(INDEPENDENT, setup(costs=costs, limits={"runtime": 1e-9}), tmp_path, None)
    assert chosen_before(tmp_path) is None


def test_something_is_left_of_the_network(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no plan of this network stays within"):
        prune_to_limits(INDEPENDENT, setup(limits={"params": 1.0}), tmp_path, None)

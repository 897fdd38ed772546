"""Rounds of ticks and tocks: what they change, and that a kill at any place leaves no trace."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from baselines import build
from prune.graph.tracing import Graph, trace
from prune.scoring.gate_decorator import MEMORY, GateDecorator, remembered
from prune.scoring.gates import Gated, Scores
from prune.scoring.pace import Pace
from prune.scoring.schedule import Schedule
from prune.scoring.sites import gate_sites
from prune.selection.costs import Costs
from prune.selection.problem import Problem
from prune.selection.search import drop, plan_of
from prune.selection.state import Selection
from sr.data.pairs import Pairs, pack
from sr.deployment import deploy
from sr.errors import InputError
from sr.training.trainer import Trainer

pytestmark = pytest.mark.numeric

CPU = torch.device("cpu")
AUTOTUNED = {"precision": "float32", "memory_format": "contiguous"}
SHORT = Schedule(rounds=3, tick_steps=2, tock_steps=3, batch=2, patch=8)
LR = torch.rand(1, 3, 12, 10, generator=torch.Generator().manual_seed(4))


def noise() -> Pairs:
    random = torch.Generator().manual_seed(0)
    lr = [torch.randint(0, 256, (*size, 3), generator=random, dtype=torch.uint8) for size in ((12, 14), (10, 11))]
    return Pairs(("a", "b"), pack(lr), pack([small.repeat_interleave(4, 0).repeat_interleave(4, 1) for small in lr]))


PAIRS = noise()


@cache
def graph() -> Graph:
    torch.manual_seed(0)
    return trace(build("msrresnet", num_feat=8, num_block=1))


def start(state: Path, schedule: Schedule = SHORT, **options: Any) -> GateDecorator:
    sites = gate_sites(graph())
    alive = [np.ones(site.units, dtype=bool) for site in sites]
    gated = Gated(graph(), sites, gate_penalty=schedule.gate_penalty)
    decorator = GateDecorator(gated, schedule, PAIRS, CPU, alive=alive, state=state, **options)
    decorator.autotuned = decorator.autotuned or dict(AUTOTUNED)
    return decorator


def choose(share: float, scores: Scores, alive: list[np.ndarray]) -> Selection:
    """Half of the weights at the end."""
    costs = Costs(graph(), (24, 24))
    limits = {"params": costs.dense["params"] * 0.5**share}
    problem = Problem(costs, gate_sites(graph()), scores, "independent", limits)
    state = drop(problem, alive)
    return Selection(state.alive, plan_of(problem, state.alive))


def equal(left: Any, right: Any) -> bool:
    """Return whether two states are the same, tensors bit for bit."""
    if isinstance(left, Tensor):
        return torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(equal(a, b) for a, b in zip(left, right, strict=True))
    return bool(left == right)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Killer:
    """Kills a pruning before its n-th step of training, counted from 1; 0 for never."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self.calls, self.at, step = 0, at, Trainer.step

        def counted(trainer: Trainer) -> Tensor:
            self.calls += 1
            if self.calls == self.at:
                raise KeyboardInterrupt
            return step(trainer)

        monkeypatch.setattr(Trainer, "step", counted)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], int]:
    """Return what three rounds without a kill end in, and how often they cut patches."""
    with pytest.MonkeyPatch.context() as patch:
        decorator = start(tmp_path_factory.mktemp("whole") / "gates.state")
        counter = Killer(patch, at=0)
        decorator.run(choose, label="whole", rounds=3)
    return decorator.content(), counter.calls


@pytest.fixture
def whole(undisturbed: tuple[dict[str, Any], int]) -> dict[str, Any]:
    return undisturbed[0]


@pytest.fixture
def steps(undisturbed: tuple[dict[str, Any], int]) -> int:
    return undisturbed[1]


def test_rounds_drop_channels_step_by_step_and_train_the_rest(tmp_path: Path, whole: dict[str, Any]) -> None:
    decorator = start(tmp_path / "gates.state")
    before = {name: tensor.clone() for name, tensor in decorator.gated.state_dict().items()}
    left = []
    for rounds in (1, 2, 3):
        decorator.run(choose, label="test", rounds=rounds)
        left.append(sum(int(alive.sum()) for alive in decorator.rounds.alive))
        assert names(tmp_path) == ["gates.state"]
    assert decorator.rounds.done == 3
    assert sum(map(len, decorator.rounds.alive)) > left[0] > left[1] > left[2] > 0
    # In parts or at once is the same.
    assert equal(decorator.content(), whole)
    after = decorator.gated.state_dict()
    for kind in ("conv.weight", "_gate", "_mask"):
        assert any(name.endswith(kind) and not torch.equal(before[name], after[name]) for name in after)
    assert all(np.array_equal(*pair) for pair in zip(decorator.gated.alive(), decorator.rounds.alive, strict=True))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.8, 1.0])
def test_a_pruning_killed_anywhere_ends_like_one_that_was_not(
    share: float, steps: int, tmp_path: Path, whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = max(1, round(share * steps))
    with monkeypatch.context() as patch:
        killer = Killer(patch, at)
        with pytest.raises(KeyboardInterrupt):
            start(tmp_path / "gates.state").run(choose, label="killed", rounds=3)
    assert killer.calls == at
    resumed = start(tmp_path / "gates.state")
    resumed.run(choose, label="resumed", rounds=3)
    assert equal(resumed.content(), whole)
    assert names(tmp_path) == ["gates.state"]


@pytest.mark.parametrize("kind", ["tick", "tock"])
def test_a_long_tick_or_tock_goes_on_within_itself(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = replace(SHORT, rounds=1, **{f"{kind}_steps": 24})
    undisturbed = start(tmp_path / "whole" / "gates.state", schedule)
    undisturbed.run(choose, label="whole", rounds=1)
    # Saves wait for half a minute: let it pass between any two looks at the clock.
    clock = itertools.count(0, 60)
    monkeypatch.setattr("sr.training.fit.time.monotonic", lambda: float(next(clock)))
    state = tmp_path / "gates.state"
    decorator = start(state, schedule)
    with monkeypatch.context() as patch:
        seen: list[int] = []
        kill_in(patch, decorator, kind, 22, seen)
        with pytest.raises(KeyboardInterrupt):
            decorator.run(choose, label="killed", rounds=1)
    part = decorator.part(kind)
    assert torch.load(part, weights_only=True)["steps_done"] == 20
    resumed = start(state, schedule)
    resumed.run(choose, label="resumed", rounds=1)
    assert equal(resumed.content(), undisturbed.content())
    assert not part.exists()


def kill_in(patch: pytest.MonkeyPatch, decorator: GateDecorator, kind: str, number: int, seen: list[int]) -> None:
    """Kill a decorator at a step of its tick or tock."""
    step = Trainer.step

    def counted(trainer: Trainer) -> Tensor:
        scoring = next(iter(decorator.gated.convs().values())).collecting
        here = "tick" if scoring else "tock"
        if here == kind:
            seen.append(1)
            if len(seen) == number:
                raise KeyboardInterrupt
        return step(trainer)

    patch.setattr(Trainer, "step", counted)


def test_a_choice_once_made_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What rests on measured runtimes might come out differently a second time, and the tock has begun with it."""
    state = tmp_path / "gates.state"
    decorator = start(state)
    with monkeypatch.context() as patch:
        kill_in(patch, decorator, "tock", 2, [])
        with pytest.raises(KeyboardInterrupt):
            decorator.run(choose, label="killed", rounds=1)
    chosen = [alive.copy() for alive in decorator.rounds.alive]
    resumed = start(state)

    def refuse(*_: Any) -> Selection:
        raise AssertionError("chosen a second time")

    resumed.run(refuse, label="resumed", rounds=1)
    assert all(np.array_equal(*pair) for pair in zip(resumed.rounds.alive, chosen, strict=True))
    assert all(np.array_equal(*pair) for pair in zip(resumed.gated.alive(), chosen, strict=True))


def test_how_to_train_is_autotuned_once_and_for_good(tmp_path: Path) -> None:
    decorator = start(tmp_path / "gates.state")
    decorator.autotuned = {}
    decorator.autotune()
    assert set(decorator.autotuned) == set(AUTOTUNED)
    # Before any round is over.
    assert start(tmp_path / "gates.state").autotuned == decorator.autotuned


def test_patches_fit_into_the_smallest_picture(tmp_path: Path) -> None:
    decorator = start(tmp_path / "gates.state", replace(SHORT, patch=64, rounds=1))
    decorator.autotuned = {}
    decorator.run(choose, label="test", rounds=1)
    assert decorator.rounds.done == 1


def test_the_last_round_is_taken_back_for_good(tmp_path: Path) -> None:
    state = tmp_path / "gates.state"
    twice = start(tmp_path / "twice" / "gates.state")
    twice.run(choose, label="twice", rounds=2)
    decorator = start(state)
    decorator.run(choose, label="test", rounds=3, enough=lambda: decorator.rounds.done == 3)
    assert decorator.rounds.ended
    assert equal(decorator.content() | {"ended": False}, twice.content())
    again = start(state)
    assert again.rounds.done == 2
    again.run(choose, label="again", rounds=3, enough=lambda: False)
    assert equal(again.content(), decorator.content())


def test_a_kill_while_a_round_is_judged_leaves_that_round_to_be_judged(tmp_path: Path, whole: dict[str, Any]) -> None:
    def kill() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(tmp_path / "gates.state").run(choose, label="killed", rounds=3, enough=kill)
    resumed = start(tmp_path / "gates.state")
    assert resumed.rounds.done == 0
    judged: list[int] = []

    def never() -> bool:
        judged.append(resumed.rounds.done)
        return False

    resumed.run(choose, label="resumed", rounds=3, enough=never)
    assert judged == [1, 2, 3]
    assert equal(resumed.content(), whole)


def test_fewer_rounds_go_all_the_way_and_are_as_long_as_they_are_told(tmp_path: Path) -> None:
    shares: list[float] = []

    def noted(share: float, scores: Scores, alive: list[np.ndarray]) -> Selection:
        shares.append(share)
        return choose(share, scores, alive)

    schedule = replace(SHORT, rounds=4)
    decorator = start(tmp_path / "gates.state", schedule)
    asked: list[Pace] = []

    def pace(left: Pace) -> Pace:
        asked.append(left)
        return left if len(asked) == 1 else Pace(min(left.rounds, 2), 1, 1)

    decorator.run(noted, label="test", rounds=4, pace=pace)
    assert shares == [pytest.approx(1 / 4), pytest.approx(1 / 4 + 3 / 8), 1.0]
    assert asked == [Pace(4, 2, 3), Pace(3, 2, 3), Pace(1, 1, 1)]
    assert decorator.rounds.are_over
    assert names(tmp_path) == ["gates.state"]
    assert start(tmp_path / "gates.state", schedule).rounds.are_over


def test_a_pace_once_told_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "gates.state"
    with monkeypatch.context() as patch:
        decorator = start(state)
        kill_in(patch, decorator, "tock", 1, [])
        with pytest.raises(KeyboardInterrupt):
            decorator.run(choose, label="killed", rounds=3, pace=lambda left: replace(left, rounds=1))
    shares: list[float] = []

    def noted(share: float, scores: Scores, alive: list[np.ndarray]) -> Selection:
        shares.append(share)
        return choose(share, scores, alive)

    resumed = start(state)
    resumed.run(noted, label="resumed", rounds=3, pace=lambda left: left)
    assert shares == []
    assert (resumed.rounds.done, resumed.rounds.share) == (1, 1.0)


def test_no_time_for_another_round_ends_them(tmp_path: Path) -> None:
    decorator = start(tmp_path / "gates.state")
    decorator.run(
        choose, label="test", rounds=3, pace=lambda left: replace(left, rounds=left.rounds if left.rounds == 3 else 0)
    )
    assert (decorator.rounds.done, decorator.rounds.ended) == (1, True)
    assert start(tmp_path / "gates.state").rounds.are_over


def test_distillation_takes_the_teacher(tmp_path: Path) -> None:
    teacher = deploy(build("msrresnet", num_feat=8, num_block=1))
    schedules = [replace(SHORT, rounds=1, distillation=share) for share in (0.0, 1.0)]
    ends = []
    for number, schedule in enumerate(schedules):
        decorator = start(tmp_path / str(number) / "gates.state", schedule, teacher=teacher)
        decorator.run(choose, label="test", rounds=1)
        ends.append(decorator.gated.eval()(LR))
    assert not torch.equal(*ends)


def refused(make: Callable[[], Any]) -> str:
    with pytest.raises(InputError) as caught:
        make()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_state_of_another_pruning_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "gates.state"
    start(state).save()
    assert "with another schedule; remove it" in refused(lambda: start(state, replace(SHORT, rounds=4)))
    whole = state.read_bytes()
    state.write_bytes(whole[: len(whole) // 2])
    assert "is no state of a pruning" in refused(lambda: start(state))
    state.write_text("something else")
    assert "is no state of a pruning" in refused(lambda: start(state))
    content = start(tmp_path / "absent.state").content()
    content["network"].popitem()
    torch.save(content, state)
    assert "is no state of this pruning" in refused(lambda: start(state))


def test_scores_by_hand() -> None:
    before = [np.array([0.4, 0.2]), np.zeros(2)]
    now = [np.array([3.0, 0.0]), np.array([1.0, 4.0])]
    alive = [np.array([True, False]), np.array([True, True])]
    mixed = remembered(before, now, alive)
    # Eighths of the sum; what is dropped keeps 0.2, what had nothing begins.
    assert mixed[0] == pytest.approx([MEMORY * 0.4 + (1 - MEMORY) * 3 / 8, 0.2])
    assert mixed[1] == pytest.approx([1 / 8, 4 / 8])
    assert before[0] == pytest.approx([0.4, 0.2])


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=6), st.floats(1e-3, 1e3))
def test_a_longer_tick_gives_the_same_scores(values: list[float], times: float) -> None:
    now, alive = [np.array(values)], [np.ones(len(values), dtype=bool)]
    before = [np.linspace(0.1, 1, len(values))]
    longer = remembered(before, [now[0] * times], alive)
    np.testing.assert_allclose(longer[0], remembered(before, now, alive)[0], rtol=1e-9)


def test_a_tick_without_any_score_changes_nothing_but_by_memory() -> None:
    (mixed,) = remembered([np.array([0.5, 0.5])], [np.zeros(2)], [np.array([True, True])])
    assert mixed == pytest.approx([MEMORY * 0.5] * 2)

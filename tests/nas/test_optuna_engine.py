"""Proposals by Optuna: the record, the resume, what a killed process leaves."""

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from nas.optuna_engine import OptunaEngine, derived_seed, has_study, is_lost, worker
from nas.trial import Trial
from search_spaces import SPACES
from search_spaces.msrresnet import repeated
from search_spaces.space import SearchSpace
from sr.errors import InputError

Outcome = Callable[..., Trial]
SPACE = SPACES["msrresnet"]
TINY = SearchSpace(
    name="tiny",
    positions=2,
    kinds=("branched_conv", "idle", "identity"),
    num_feat=(8, 16),
    upsampler=("one_step",),
    image_skip=("nearest",),
    aggregation=("none",),
    seeds=(repeated(8, "branched_conv", 1),),
)


def journal(folder: Path) -> str:
    return str(folder / "study.journal")


def go_on(engine: OptunaEngine, count: int, outcome: Outcome) -> list[str]:
    keys = []
    for _ in range(count):
        number, architecture = engine.ask()
        engine.tell(outcome(number, architecture))
        keys.append(architecture.key)
    return keys


def test_the_seeds_of_the_space_come_first(tmp_path: Path, outcome: Outcome) -> None:
    engine = OptunaEngine(SPACE, "s", journal(tmp_path), 0, 100.0)
    assert go_on(engine, len(SPACE.seeds), outcome) == [seed.key for seed in SPACE.seeds]


def test_sixteen_and_resume_and_ten_are_twenty_six_straight(tmp_path: Path, outcome: Outcome) -> None:
    straight = OptunaEngine(SPACE, "s", journal(tmp_path / "a"), 7, 100.0)
    expected = go_on(straight, 26, outcome)
    first = OptunaEngine(SPACE, "s", journal(tmp_path / "b"), 7, 100.0)
    got = go_on(first, 16, outcome)
    got += go_on(OptunaEngine(SPACE, "s", journal(tmp_path / "b"), 7, 100.0), 10, outcome)
    assert got == expected
    assert len(set(expected)) == 26
    other = OptunaEngine(SPACE, "s", journal(tmp_path / "c"), 8, 100.0)
    assert go_on(other, 26, outcome) != expected


@pytest.mark.parametrize("storage", ["study.journal", "sqlite"])
def test_what_was_told_is_there_again(storage: str, tmp_path: Path, outcome: Outcome) -> None:
    where = f"sqlite:///{tmp_path / 'study.db'}" if storage == "sqlite" else str(tmp_path / storage)
    engine = OptunaEngine(SPACE, "s", where, 0, 100.0)
    go_on(engine, 3, outcome)
    engine.remember({"phase": "search", "budget_ms": 100.0})
    again = OptunaEngine(SPACE, "s", where, 0, 100.0)
    assert again.trials == engine.trials
    assert again.settings == {"phase": "search", "budget_ms": 100.0}
    assert has_study(where, "s")
    assert not has_study(where, "t")


def test_states_reach_optuna_with_their_constraint(tmp_path: Path, outcome: Outcome) -> None:
    engine = OptunaEngine(SPACE, "s", journal(tmp_path), 0, 100.0)
    go_on(engine, len(SPACE.seeds), outcome)
    number, architecture = engine.ask()
    engine.tell(Trial(number, architecture, "failed", None, "the loss is nan"))
    by_number = {trial.number: trial for trial in engine.study.get_trials()}
    for trial in engine.trials:
        stored = by_number[trial.number]
        assert stored.state.name == {"trained": "COMPLETE", "infeasible": "PRUNED", "failed": "FAIL"}[trial.state]
        if trial.measurement is not None:
            assert stored.constraints == {"runtime": trial.measurement.runtime.p90_ms - 100.0}
    assert {trial.state for trial in engine.trials} == {"trained", "infeasible", "failed"}


def test_an_abandoned_architecture_is_proposed_again(tmp_path: Path) -> None:
    engine = OptunaEngine(SPACE, "s", journal(tmp_path), 0, 100.0)
    number, architecture = engine.ask()
    engine.abandon(number)
    assert architecture.key in {engine.ask()[1].key for _ in SPACE.seeds}
    assert engine.trials == []


def test_what_a_killed_process_was_at_is_proposed_again(tmp_path: Path) -> None:
    script = f"""
        import os, signal
        from nas.optuna_engine import OptunaEngine
        from search_spaces import SPACES
        engine = OptunaEngine(SPACES["msrresnet"], "s", {journal(tmp_path)!r}, 0, 100.0)
        print(engine.ask()[1].key, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    root = Path(__file__).resolve().parents[2]
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert killed.returncode == -9, killed.stderr
    engine = OptunaEngine(SPACE, "s", journal(tmp_path), 0, 100.0)
    proposed = [engine.ask()[1].key for _ in SPACE.seeds]
    assert killed.stdout.strip() in proposed
    assert len(set(proposed)) == len(SPACE.seeds)


def test_a_trial_told_to_the_record_but_not_to_optuna_is_not_repeated(tmp_path: Path, outcome: Outcome) -> None:
    engine = OptunaEngine(SPACE, "s", journal(tmp_path), 0, 100.0)
    number, architecture = engine.ask()
    trial = outcome(number, architecture)
    asked = engine.asked[number]
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(timeout=60)
    asked.set_user_attr("worker", json.dumps({**json.loads(worker()), "pid": ended.pid}))
    asked.set_user_attr("trial", trial.to_json())
    again = OptunaEngine(SPACE, "s", journal(tmp_path), 0, 100.0)
    assert again.trials == [trial]
    assert again.ask()[1].key != architecture.key


def test_a_live_process_keeps_its_trials() -> None:
    assert not is_lost(worker())
    assert not is_lost('{"host": "another-machine", "pid": 1}')
    assert is_lost(None)


def test_neighbours_of_the_front_are_new_and_near(tmp_path: Path, outcome: Outcome) -> None:
    engine = OptunaEngine(SPACE, "s", journal(tmp_path), 0, 100.0)
    go_on(engine, 12, outcome)
    front = [trial for trial in engine.trials if trial.state == "trained"]
    parents = [SPACE.encode(trial.architecture.canonical) for trial in front]
    seen = {trial.architecture.key for trial in engine.trials}
    for number in range(30):
        picks = engine.neighbour(front, number)
        assert SPACE.decode(picks).key not in seen
        assert min(sum(picks[name] != parent[name] for name in picks) for parent in parents) <= 3


def test_an_exhausted_space_still_answers(tmp_path: Path, outcome: Outcome) -> None:
    engine = OptunaEngine(TINY, "s", journal(tmp_path), 0, 100.0)
    assert len(set(go_on(engine, 40, outcome))) <= TINY.networks


def test_seeds_of_neighbouring_trials_differ() -> None:
    assert len({derived_seed(seed, number) for seed in range(10) for number in range(100)}) == 1000


def test_a_storage_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot open the storage"):
        OptunaEngine(SPACE, "s", str(tmp_path / "file" / "study.journal"), 0, 100.0)
    with pytest.raises(InputError, match="cannot open the storage nosuch://"):
        OptunaEngine(SPACE, "s", "nosuch://x", 0, 100.0)

"""Proposals by Optuna: the record, the resume, what a killed process leaves."""

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.samplers import TPESampler

from nas.engine import Terms, derived_seed
from nas.optuna_engine import NsgaProposer, OptunaEngine, distributions, has_study, worthwhile_seeds
from nas.random_search import samples
from nas.trial import Trial
from nas.workers import worker
from search_spaces import SPACES
from search_spaces.architecture import Architecture
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


def test_an_exhausted_space_still_answers(tmp_path: Path, outcome: Outcome) -> None:
    engine = OptunaEngine(TINY, "s", journal(tmp_path), 0, 100.0)
    assert len(set(go_on(engine, 40, outcome))) <= TINY.networks


def test_what_another_process_told_is_learned_of(tmp_path: Path, outcome: Outcome) -> None:
    first, second = (OptunaEngine(SPACE, "s", journal(tmp_path), 0, 100.0) for _ in range(2))
    go_on(first, 2, outcome)
    number, _ = second.ask()
    assert number == 2
    assert second.trials == first.trials


def test_unpromising_seeds_are_left_out_but_for_the_smallest(tmp_path: Path) -> None:
    def none(_: Architecture) -> bool:
        return False

    assert [seed.num_feat for seed in worthwhile_seeds(Terms(SPACE, 0, 100.0, none))] == [8]
    engine = OptunaEngine(SPACE, "s", journal(tmp_path), 0, 100.0, promising=lambda one: one.num_feat < 32)
    proposed = [engine.ask()[1] for _ in range(6)]
    assert [one.key for one in proposed] == [seed.key for seed in SPACE.seeds if seed.num_feat < 32]


def test_tpe_of_today_s_default_is_optunas_own(tmp_path: Path, outcome: Outcome) -> None:
    """What the proposer rebuilds from the trials is what Optuna's sampler sees in the record itself."""
    engine = OptunaEngine(SPACE, "s", journal(tmp_path), 3, 100.0)
    go_on(engine, len(SPACE.seeds), outcome)
    number = len(SPACE.seeds)
    proposed = engine.proposer.propose(number, engine.trials)
    seed = derived_seed(3, number) % 2**32
    engine.study.sampler = TPESampler(multivariate=True, n_startup_trials=number, seed=seed)
    assert engine.study.ask(distributions(SPACE)).params == proposed


def test_nsga2_breeds_survivors_once_a_generation_is_full(outcome: Outcome) -> None:
    proposer = NsgaProposer(Terms(SPACE, 0, 100.0), population=4)
    trials = [outcome(number, seed) for number, seed in enumerate(SPACE.seeds)]
    trained = [trial for trial in trials if trial.state == "trained"]
    parents = [SPACE.encode(trial.architecture.canonical) for trial in trained]
    first = proposer.propose(3, trials[:3])
    assert first == next(samples(proposer.terms, 3))
    child = proposer.propose(len(trials), trials)
    # Three mutations at the most, everything else from one of the parents.
    inherited = [any(child[name] == parent[name] for parent in parents) for name in child]
    assert inherited.count(False) <= 3


def test_a_storage_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot open the storage"):
        OptunaEngine(SPACE, "s", str(tmp_path / "file" / "study.journal"), 0, 100.0)
    with pytest.raises(InputError, match="cannot open the storage nosuch://"):
        OptunaEngine(SPACE, "s", "nosuch://x", 0, 100.0)

"""What the record looks like in Optuna's storage, and what a killed process leaves there."""

import json
import os
import platform
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext

from nas.optuna_backend.owner import new_owner
from nas.optuna_backend.storage import open_storage
from nas.optuna_backend.study import OptunaStudy
from nas.optuna_backend.trials import STATES
from nas.samplers.protocol import Picks, SearchProblem
from nas.samplers.random_search import RandomSearch
from nas.trial import Trial
from search_spaces import SPACES
from search_spaces.architecture import Architecture

Outcome = Callable[[int, Architecture], Trial]
SPACE = SPACES["msrresnet"]
PROPOSE = RandomSearch(SearchProblem(SPACE, 0, 100.0)).propose


@pytest.fixture
def journal(tmp_path: Path) -> str:
    return str(tmp_path / "study.journal")


def opened(journal: str) -> OptunaStudy:
    study = OptunaStudy(SPACE, "s", journal, 100.0)
    study.enqueue(SPACE.seeds)
    return study


def test_states_reach_optuna_with_their_constraint(journal: str, outcome: Outcome) -> None:
    study = opened(journal)
    for _ in SPACE.seeds:
        study.tell(outcome(*study.ask(PROPOSE)))
    number, architecture = study.ask(PROPOSE)
    study.tell(Trial(number, architecture, "failed", None, "the loss is nan"))
    put_off = replace(outcome(*study.ask(PROPOSE)), state="put off", calm_ms=7.0)
    study.tell(put_off)
    record = optuna.load_study(study_name="s", storage=open_storage(journal))
    by_number = {trial.number: trial for trial in record.get_trials()}
    for trial in study.trials:
        stored = by_number[trial.number]
        assert stored.state.name == STATES[trial.state].name
        if trial.state == "trained":
            psnr, runtime_ms, activations = stored.values
            assert (-psnr, runtime_ms, activations) == trial.objectives
        if trial.measurement is not None:
            assert stored.constraints == {"runtime": pytest.approx(trial.p90_ms - 100.0)}
    assert {trial.state for trial in study.trials} == {"trained", "infeasible", "put off", "failed"}


def test_architecture_that_a_killed_process_asked_for_is_asked_for_again(journal: str) -> None:
    script = f"""
        import os, signal
        from nas.optuna_backend.study import OptunaStudy
        from search_spaces import SPACES
        space = SPACES["msrresnet"]
        study = OptunaStudy(space, "s", {journal!r}, 100.0)
        study.enqueue(space.seeds)
        print(study.ask(None)[1].key, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    root = Path(__file__).resolve().parents[3]
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert killed.returncode == -9, killed.stderr
    study = opened(journal)
    asked = [study.ask(PROPOSE)[1].key for _ in SPACE.seeds]
    assert killed.stdout.strip() in asked
    assert set(asked) == {seed.key for seed in SPACE.seeds}


def test_trial_told_to_the_record_but_not_to_optuna_is_not_repeated(journal: str, outcome: Outcome) -> None:
    number, architecture = opened(journal).ask(PROPOSE)
    trial = outcome(number, architecture)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(timeout=60)
    # As the process leaves it that is killed after the first of its two writes.
    storage = open_storage(journal)
    trial_id = storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name("s"), number)
    storage.set_trial_user_attr(trial_id, "worker", json.dumps({**json.loads(new_owner()), "pid": ended.pid}))
    storage.set_trial_user_attr(trial_id, "trial", trial.to_json())
    again = opened(journal)
    assert again.trials == [trial]
    assert again.ask(PROPOSE)[1].key != architecture.key


def test_network_that_another_process_told_meanwhile_is_not_handed_out(journal: str, outcome: Outcome) -> None:
    ours, theirs = (OptunaStudy(SPACE, "s", journal, 100.0) for _ in range(2))
    first, second = SPACE.seeds[:2]

    def propose(_number: int, trials: Sequence[Trial]) -> Picks:
        if trials:
            return SPACE.encode(second)
        theirs.tell(outcome(*theirs.ask(lambda *_: SPACE.encode(first))))
        return SPACE.encode(first)

    assert ours.trials == []
    _, architecture = ours.ask(propose)
    assert architecture.key == second.key
    # Once it is known the caller sees for itself that it is a repeat.
    _, again = ours.ask(lambda *_: SPACE.encode(first))
    assert again.key == first.key


def test_study_names_the_other_processes_that_hold_it(journal: str) -> None:
    first, second = opened(journal), opened(journal)
    assert second.holders() == []
    # It joins where it first looks for others' trials.
    first.others()
    assert second.holders() == [f"process {os.getpid()} on {platform.node()}"]
    assert first.holders() == []
    first.leave()
    assert second.holders() == []


def test_connection_that_breaks_while_trials_are_read_is_waited_for(tmp_path: Path) -> None:
    study = opened(f"sqlite:///{tmp_path / 'study.db'}")
    there = study.count()
    assert isinstance(study._storage, RDBStorage)
    engine, breaks = study._storage.engine, ["FROM trials"]

    @event.listens_for(engine, "do_execute")
    def break_once(_cursor: object, statement: str, *_: Any) -> None:
        if breaks and breaks[0] in statement.replace("\n", ""):
            breaks.clear()
            raise sqlite3.OperationalError("server closed the connection unexpectedly")

    @event.listens_for(engine, "handle_error")
    def as_of_a_server(context: ExceptionContext) -> None:
        context.is_disconnect = True

    assert study.count() == there == len(SPACE.seeds)
    assert not breaks

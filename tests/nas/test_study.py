"""What every record of a study keeps to, each storage by the same tests."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from nas.optuna_backend.owner import new_owner
from nas.optuna_backend.storage import has_study, open_storage
from nas.optuna_backend.study import OptunaStudy
from nas.samplers.protocol import Picks, SearchProblem
from nas.samplers.random_search import RandomSearch
from nas.study import NoneLeftError, Study
from nas.successive_halving import Rung
from nas.trial import Trial
from search_spaces import SPACES
from search_spaces.architecture import Architecture

Outcome = Callable[[int, Architecture], Trial]
Open = Callable[[], Study]
SPACE = SPACES["msrresnet"]
BUDGET_MS = 100.0
SEEDS = SPACE.seeds[:4]
PROPOSE = RandomSearch(SearchProblem(SPACE, 0, BUDGET_MS)).propose


def never(_number: int, _trials: Sequence[Trial]) -> Picks:
    """Propose where something must be waiting."""
    raise AssertionError("nothing waits")


@pytest.fixture(autouse=True)
def _watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look more often than every second whether others have told their trials."""
    monkeypatch.setattr("nas.optuna_backend.study._LOOK_SECONDS", 0.01)


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database with its tables, which take longer to make than to copy."""
    path = tmp_path_factory.mktemp("database") / "study.db"
    open_storage(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["journal", "sqlite"])
def storage(request: pytest.FixtureRequest, empty_database: Path, tmp_path: Path) -> str:
    if request.param == "journal":
        return str(tmp_path / "study.journal")
    return f"sqlite:///{shutil.copy(empty_database, tmp_path / 'study.db')}"


@pytest.fixture
def reopen(storage: str) -> Open:
    """Return what opens the study as another process would."""
    return lambda: OptunaStudy(SPACE, "s", storage, BUDGET_MS)


@pytest.fixture
def study(reopen: Open) -> Study:
    return reopen()


def go_on(study: Study, count: int, outcome: Outcome) -> list[str]:
    keys = []
    for _ in range(count):
        number, architecture = study.ask(PROPOSE)
        study.tell(outcome(number, architecture))
        keys.append(architecture.key)
    return keys


def ended_process() -> int:
    """Return the number of a process that is no more."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(timeout=60)
    return ended.pid


def lose(storage: str, number: int) -> None:
    """Have an asked trial be that of a process that is no more."""
    kept = open_storage(storage)
    trial_id = kept.get_trial_id_from_study_id_trial_number(kept.get_study_id_from_name("s"), number)
    kept.set_trial_user_attr(trial_id, "worker", json.dumps({**json.loads(new_owner()), "pid": ended_process()}))


def test_enqueued_architectures_are_asked_for_first_and_in_order(study: Study, reopen: Open, outcome: Outcome) -> None:
    study.enqueue(SEEDS)
    seeds = [seed.key for seed in SEEDS]
    assert go_on(study, 2, outcome) == seeds[:2]
    # A study that goes on has them in its queue already.
    again = reopen()
    again.enqueue(SEEDS)
    keys = go_on(again, len(seeds), outcome)
    assert keys[:-2] == seeds[2:]
    assert not set(keys[-2:]) & set(seeds)


def test_proposals_are_asked_for_by_number_and_trials(study: Study, outcome: Outcome) -> None:
    asked: list[tuple[int, tuple[Trial, ...]]] = []

    def propose(number: int, trials: Sequence[Trial]) -> Picks:
        asked.append((number, tuple(trials)))
        return PROPOSE(number, trials)

    told: list[Trial] = []
    for count in range(3):
        number, architecture = study.ask(propose)
        assert number == count
        assert architecture == SPACE.decode(PROPOSE(number, told))
        told.append(outcome(number, architecture))
        study.tell(told[-1])
    assert asked == [(count, tuple(told[:count])) for count in range(3)]


def test_told_trials_and_settings_are_there_again(study: Study, reopen: Open, outcome: Outcome, storage: str) -> None:
    go_on(study, 3, outcome)
    assert study.settings == {}
    study.remember({"phase": "search", "budget_ms": 100.0})
    again = reopen()
    assert again.trials == study.trials
    assert [trial.number for trial in again.trials] == [0, 1, 2]
    assert again.settings == study.settings == {"phase": "search", "budget_ms": 100.0}
    again.remember({"phase": "done"})
    assert reopen().settings == {"phase": "done", "budget_ms": 100.0}
    assert has_study(storage, "s")
    assert not has_study(storage, "t")


def test_abandoned_architecture_is_asked_for_again(study: Study, outcome: Outcome) -> None:
    go_on(study, 2, outcome)
    number, architecture = study.ask(PROPOSE)
    study.abandon(number)
    assert len(study.trials) == 2
    again, same = study.ask(never)
    assert again > number
    assert same == architecture


def test_architecture_of_a_lost_process_is_asked_for_again(
    study: Study, reopen: Open, storage: str, outcome: Outcome
) -> None:
    go_on(study, 2, outcome)
    number, architecture = study.ask(PROPOSE)
    # A process that lives keeps what it asked for.
    assert reopen().ask(PROPOSE)[1] != architecture
    lose(storage, number)
    again = reopen()
    assert again.ask(never)[1] == architecture
    assert again.trials == study.trials


def test_lost_trial_that_waited_first_is_asked_for_again(study: Study, reopen: Open, storage: str) -> None:
    study.enqueue(SEEDS)
    number, architecture = study.ask(never)
    study.abandon(number)
    asked = [study.ask(never) for _ in SEEDS]
    assert architecture.key in {each.key for _, each in asked}
    assert study.trials == []
    lose(storage, asked[1][0])
    assert reopen().ask(never)[1] == asked[1][1]


def test_later_rungs_are_there_again(study: Study, reopen: Open, outcome: Outcome) -> None:
    study.enqueue(SEEDS)
    go_on(study, 6, outcome)
    before = next(trial for trial in study.trials if trial.state == "trained")
    higher = replace(before, rungs=(Rung(4, before.psnr, 1.0), Rung(16, before.psnr + 1, 3.0)))
    top = replace(higher, rungs=(*higher.rungs, Rung(64, before.psnr + 2, 9.0)), seconds=13.0)
    for trial in (higher, top):
        study.advance(trial)
        assert study.trials[before.number] == trial
        assert reopen().trials == study.trials
    assert [trial.number for trial in study.trials] == list(range(6))


def test_trials_told_by_another_process_are_learnt_of(study: Study, reopen: Open, outcome: Outcome) -> None:
    other = reopen()
    go_on(study, 2, outcome)
    number, _ = other.ask(PROPOSE)
    assert number == 2
    assert other.trials == study.trials


def test_trials_are_no_more_than_the_limit_in_two_processes_and_on_resume(
    study: Study, reopen: Open, outcome: Outcome
) -> None:
    study.enqueue(SEEDS)
    other = reopen()
    first, second = study.ask(never, 3), other.ask(never, 3)
    study.tell(outcome(*first))
    third = study.ask(never, 3)
    with pytest.raises(NoneLeftError):
        other.ask(never, 3)
    other.tell(outcome(*second))
    # The last one is another's: it is waited for, and not done twice.
    assert not other.await_others(3, iter([True, False]).__next__)
    study.tell(outcome(*third))
    assert not other.await_others(3, lambda: True)
    assert len(other.trials) == 3
    with pytest.raises(NoneLeftError):
        reopen().ask(never, 3)
    assert reopen().ask(never, 4)[1].key == SEEDS[3].key


def test_last_trial_of_a_lost_process_is_left_to_those_who_wait(
    study: Study, reopen: Open, storage: str, outcome: Outcome
) -> None:
    other = reopen()
    number, architecture = study.ask(PROPOSE, 2)
    go_on(other, 1, outcome)
    lose(storage, number)
    assert other.await_others(2, lambda: True)
    assert other.ask(never, 2)[1] == architecture


def test_trial_that_was_put_off_is_not_left_by_who_is_to_measure_it_again(
    study: Study, reopen: Open, outcome: Outcome
) -> None:
    other = reopen()
    put_off = replace(outcome(*study.ask(PROPOSE, 2)), state="put off")
    study.tell(put_off)
    # All others are in hand: instead of waiting for them it is measured.
    number, architecture = other.ask(PROPOSE, 2)
    assert study.await_others(2, lambda: True)
    other.tell(outcome(number, architecture))
    assert study.await_others(2, lambda: True)
    assert not other.await_others(2, lambda: True)
    # Who goes on inherits it.
    study.leave()
    assert other.await_others(2, lambda: True)
    other.advance(outcome(put_off.number, put_off.architecture))
    assert not other.await_others(2, lambda: True)


def test_repeat_of_a_network_is_nobody_s_to_measure_again(study: Study, reopen: Open, outcome: Outcome) -> None:
    other = reopen()
    put_off = replace(outcome(*study.ask(PROPOSE)), state="put off")
    study.tell(put_off)
    number, _ = other.ask(PROPOSE)
    other.tell(replace(put_off, number=number, duplicate_of=put_off.number))
    assert study.await_others(2, lambda: True)
    assert len(study.trials) == 2
    assert study.others() == frozenset()


def test_network_that_another_process_works_on_is_not_handed_out(study: Study, reopen: Open) -> None:
    draws = iter([SEEDS[0], SEEDS[0], SEEDS[0], SEEDS[1]])

    def propose(_number: int, _trials: Sequence[Trial]) -> Picks:
        return SPACE.encode(next(draws))

    assert study.ask(propose)[1].key == SEEDS[0].key
    assert reopen().ask(propose)[1].key == SEEDS[1].key
    assert list(draws) == []


def test_seeds_that_two_processes_enqueue_at_once_are_asked_for_once(
    study: Study, reopen: Open, storage: str, outcome: Outcome
) -> None:
    study.enqueue(SEEDS[:2])
    # As the other one does that looked before the first had enqueued any.
    record = optuna.load_study(study_name="s", storage=open_storage(storage))
    for seed in SEEDS[:2]:
        record.enqueue_trial(SPACE.encode(seed), user_attrs={"queued": True})
    assert go_on(study, 2, outcome) == [seed.key for seed in SEEDS[:2]]
    assert not {reopen().ask(PROPOSE)[1].key} & {seed.key for seed in SEEDS[:2]}
    assert len(study.trials) == 2


def test_seeds_that_a_killed_process_had_not_enqueued_all_are_enqueued(study: Study, reopen: Open) -> None:
    study.enqueue(SEEDS[:2])
    again = reopen()
    again.enqueue(SEEDS)
    assert [again.ask(never)[1].key for _ in SEEDS] == [seed.key for seed in SEEDS]


def test_architecture_given_back_by_a_process_that_was_killed_then_is_asked_for_again(
    study: Study, reopen: Open, storage: str
) -> None:
    number, architecture = study.ask(PROPOSE)
    kept = open_storage(storage)
    trial_id = kept.get_trial_id_from_study_id_trial_number(kept.get_study_id_from_name("s"), number)
    kept.set_trial_state_values(trial_id, TrialState.FAIL)
    again = reopen()
    assert again.ask(never)[1] == architecture
    # And once.
    assert reopen().count() == 2


def test_outcome_of_a_trial_that_was_given_to_another_is_the_other_s_to_tell(
    study: Study, reopen: Open, storage: str, outcome: Outcome
) -> None:
    number, architecture = study.ask(PROPOSE)
    lose(storage, number)
    other = reopen()
    taken, same = other.ask(never)
    assert same == architecture
    study.tell(outcome(number, architecture))
    other.tell(outcome(taken, same))
    assert [trial.number for trial in reopen().trials] == [taken]
    assert study.ask(PROPOSE)[1] != architecture


def test_silent_process_elsewhere_loses_its_trials(
    study: Study, reopen: Open, storage: str, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, architecture = study.ask(PROPOSE)
    kept = open_storage(storage)
    trial_id = kept.get_trial_id_from_study_id_trial_number(kept.get_study_id_from_name("s"), number)
    # A container whose name and numbers mean nothing here.
    kept.set_trial_user_attr(trial_id, "worker", json.dumps({"id": "other", "machine": "other", "pid": 1}))
    again = reopen()
    go_on(again, 1, outcome)
    assert architecture not in [trial.architecture for trial in again.trials]
    monkeypatch.setattr("nas.optuna_backend.owner.LOST_SECONDS", 0.0)
    assert again.ask(never)[1] == architecture


def test_later_rungs_told_by_another_process_are_learnt_of(study: Study, reopen: Open, outcome: Outcome) -> None:
    study.enqueue(SEEDS)
    go_on(study, 4, outcome)
    other = reopen()
    before = next(trial for trial in study.trials if trial.state == "trained")
    study.advance(replace(before, rungs=(Rung(4, before.psnr, 1.0),)))
    other.ask(PROPOSE)
    assert other.trials == study.trials


def test_each_process_goes_on_with_what_it_told_and_one_inherits_what_is_left(
    study: Study, reopen: Open, outcome: Outcome
) -> None:
    other = reopen()
    go_on(study, 1, outcome)
    go_on(other, 1, outcome)
    study.ask(PROPOSE)
    assert (study.others(), other.others()) == ({1}, {0})
    third = reopen()
    go_on(third, 1, outcome)
    study.leave()
    # What it told is one's of the two that live.
    third.ask(PROPOSE)
    other.ask(PROPOSE)
    assert sorted(each.others() - {1, 3} for each in (other, third)) == [frozenset(), {0}]
    other.leave()
    assert third.others() == frozenset()


def test_what_a_process_told_that_left_is_inherited(study: Study, reopen: Open, outcome: Outcome) -> None:
    go_on(study, 1, outcome)
    again = reopen()
    assert again.others() == {0}
    study.leave()
    assert again.others() == frozenset()

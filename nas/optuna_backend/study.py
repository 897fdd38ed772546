"""Optuna's storage as the record of a study."""

import contextlib
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from nas.interrupts import uninterrupted
from nas.optuna_backend.hearts import Hearts
from nas.optuna_backend.owner import id_of
from nas.optuna_backend.patience import patient
from nas.optuna_backend.storage import open_storage
from nas.optuna_backend.stored import (
    DROPPED,
    QUEUED,
    TRIAL,
    WORKER,
    advanced_key,
    begun,
    closed_for_nothing,
    is_live,
    key_to_remember,
    opened,
    picks_of,
    settings_of,
    was_queued,
)  # fmt: skip
from nas.optuna_backend.trials import STATES, constraints
from nas.study import NoneLeftError, Propose
from nas.trial import Trial
from search_spaces.architecture import Architecture
from search_spaces.space import SearchSpace
from sr.waiting import waiting_for

# So many proposals in a row that others are at work on already: there is hardly anything else.
_MOST_DROPS = 20
_LOOK_SECONDS = 1.0


class OptunaStudy:
    """A study in Optuna's storage; see `nas.study.Study`.

    What is handed out depends on what was enqueued and proposed, and on nothing else: a resumed study goes on as an
    uninterrupted one. What a process asked for before it was lost is handed out again; see `owner`. Each method may be
    repeated after it failed half way, and is where the database does not answer.

    Args:
        space: What the architectures are of.
        name: The name of the study in the storage.
        storage: The path of a journal or the URL of a database.
        budget_ms: Recorded as the constraint on each measured trial.

    Raises:
        InputError: Where the storage cannot be opened.
    """

    @patient
    @uninterrupted()
    def __init__(self, space: SearchSpace, name: str, storage: str, budget_ms: float) -> None:
        self._space, self._budget_ms = space, budget_ms
        self._storage = open_storage(storage)
        self._study, self.is_new = opened(name, self._storage)
        self._study_id = self._storage.get_study_id_from_name(name)
        self._hearts = Hearts(self._study, self._storage, self._study_id)
        self._owners: dict[int, str] = {}
        self._asked: dict[int, optuna.Trial] = {}
        self._told: dict[int, Trial] = {}
        self._latest: dict[int, Any] = {}
        self._keys: dict[int, str] = {}
        self._catch_up()
        self._requeue_lost()
        self._requeue_forgotten()

    def _everything(self) -> list[FrozenTrial]:
        """Return all trials as Optuna has them, by number."""
        return self._study.get_trials(deepcopy=False)

    def _attributes(self) -> dict[str, Any]:
        """Return what is kept with the study; not a copy, as Optuna's own property makes of all trials' rungs."""
        return self._storage.get_study_user_attrs(self._study_id)

    def _id(self, number: int) -> int:
        """Return what Optuna's storage calls a trial."""
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)

    def _catch_up(self) -> None:
        """Read what was told before and by other processes."""
        advanced = self._attributes()
        for trial in self._everything():
            if TRIAL in trial.user_attrs:
                latest = advanced.get(advanced_key(trial.number), trial.user_attrs[TRIAL])
                if self._latest.get(trial.number) != latest:
                    self._latest[trial.number], self._told[trial.number] = latest, Trial.from_json(latest)

    @property
    def trials(self) -> list[Trial]:
        """Every trial told so far."""
        return [self._told[number] for number in sorted(self._told)]

    @property
    def settings(self) -> dict[str, Any]:
        """What `remember` was given, by any process; of one name the last."""
        return self._settings()

    @patient
    def count(self) -> int:
        """Return how many trials there are in the storage."""
        return len(self._everything())

    @patient
    def _settings(self) -> dict[str, Any]:
        return settings_of(self._attributes())

    @patient
    @uninterrupted()
    def remember(self, settings: dict[str, Any]) -> None:
        """Keep `settings` with the study, beside what it remembers already."""
        self._study.set_user_attr(key_to_remember(self._attributes(), self._hearts.id), settings)

    @patient
    @uninterrupted()
    def enqueue(self, architectures: Sequence[Architecture]) -> None:
        """Have these asked for next that were not before, where nothing but such was."""
        everything = self._everything()
        if all(QUEUED in trial.user_attrs for trial in everything):
            there = [picks_of(trial) for trial in everything if DROPPED not in trial.user_attrs]
            for picks in map(self._space.encode, architectures):
                if picks not in there:
                    self._queue(picks)

    @patient
    @uninterrupted()
    def ask(self, propose: Propose, limit: int | None = None) -> tuple[int, Architecture]:
        """Return a waiting architecture (seeds, and those of lost trials), else a new proposal."""
        self._hearts.join()
        # What the caller knew as it asked.
        known, drops = frozenset(self._told), 0
        while True:
            self._catch_up()
            self._requeue_lost()
            everything = self._everything()
            if limit is not None and begun(everything) >= limit:
                raise NoneLeftError
            if not any(trial.state == TrialState.WAITING for trial in everything):
                self._study.enqueue_trial(propose(len(everything), self.trials))
            trial = self._study.ask()
            trial.set_user_attr(WORKER, self._hearts.owner)
            everything = self._everything()
            if self._is_ours(everything[trial.number], everything, limit, known, may_repeat=drops >= _MOST_DROPS):
                for name, values in self._space.choices.items():
                    trial.suggest_categorical(name, values)
                self._asked[trial.number] = trial
                return trial.number, self._space.decode(trial.params)
            self._drop(everything[trial.number])
            drops += 1

    def _is_ours(
        self,
        trial: FrozenTrial,
        everything: list[FrozenTrial],
        limit: int | None,
        known: Collection[int],
        *,
        may_repeat: bool,
    ) -> bool:
        """Return whether a trial that was taken is to be worked on: by its number, which all processes see alike.

        Those of one network are the first one's; and so many are worked on as are to be. known: the told trials of
        which the caller knows that their networks need no more work. may_repeat: whether one that another process works
        on is all the same.
        """
        if not was_queued(trial):
            # Another process took the proposal in between, and Optuna drew something itself.
            return False
        before = [each for each in everything[: trial.number] if is_live(each)]
        if limit is not None and len(before) >= limit:
            return False
        for each in before:
            if QUEUED in trial.user_attrs and picks_of(each) == picks_of(trial):
                # Two processes queued it at once.
                return False
            is_others = each.number not in known and each.number not in self._asked
            if is_others and not may_repeat and self._key(each) == self._key(trial):
                return False
        return True

    def _drop(self, trial: FrozenTrial) -> None:
        """Close a trial that nothing comes of."""
        with contextlib.suppress(UpdateFinishedTrialError):
            trial_id = self._id(trial.number)
            self._storage.set_trial_user_attr(trial_id, DROPPED, value=True)
            self._storage.set_trial_state_values(trial_id, TrialState.FAIL)

    def await_others(self, limit: int, goes_on: Callable[[], bool]) -> bool:
        """Look every second whether other processes told their trials, or were lost; at once where one was put off."""
        with waiting_for("the last trials of other processes"):
            while goes_on():
                if self._begun_by_all() < limit or self._is_one_put_off():
                    return True
                if len(self._told) >= limit:
                    return False
                time.sleep(_LOOK_SECONDS)
        return False

    @patient
    @uninterrupted()
    def _begun_by_all(self) -> int:
        """Return how many trials were told or are worked on, what was lost put back into the queue."""
        self._hearts.listen()
        self._catch_up()
        self._requeue_lost()
        return begun(self._everything())

    def _is_one_put_off(self) -> bool:
        """Return whether a told trial is this process's to measure again."""
        if not any(each.state == "put off" for each in self._told.values()):
            return False
        others = self.others()
        # Of one network that two processes have nobody knows who measures it: no reason to go on.
        theirs = {self._told[number].architecture.key for number in others}
        latest = {each.architecture.key: each for each in self.trials if each.duplicate_of is None}
        return any(each.state == "put off" and key not in theirs for key, each in latest.items())

    @patient
    def others(self) -> frozenset[int]:
        """Return what live processes told, and what others did where one that came earlier is there to inherit it."""
        self._hearts.join()
        live = self._hearts.others()
        is_heir = self._hearts.is_heir(live)
        # A repeat is nobody's: what it repeats is.
        owners = {number: self._who(number) for number, each in self._told.items() if each.duplicate_of is None}
        return frozenset(
            number for number, who in owners.items() if who in live or (who != self._hearts.id and not is_heir)
        )

    @patient
    def holders(self) -> list[str]:
        """Return the other processes that beat, or did when they were last heard."""
        return self._hearts.holders()

    def _who(self, number: int) -> str:
        """Return the id of the process that asked for a trial."""
        if number not in self._owners:
            self._owners[number] = id_of(self._everything()[number].user_attrs.get(WORKER))
        return self._owners[number]

    @patient
    @uninterrupted()
    def leave(self) -> None:
        """Have its heart stand still, which the others see at once; and take in what they told last."""
        self._hearts.leave()
        self._catch_up()

    @patient
    @uninterrupted()
    def tell(self, trial: Trial) -> None:
        """Record the outcome: infeasible as pruned with its constraint, so that whoever reads the storage sees it.

        That of a trial that was given to another process, as this one had not beaten for long, is the other's to tell.
        """
        asked = self._asked[trial.number]
        try:
            for name, excess in constraints(trial, self._budget_ms).items():
                # Set once and just before the tell: Optuna ignores a second value of a constraint.
                asked.set_constraint(name, excess)
            asked.set_user_attr(TRIAL, trial.to_json())
            self._latest[trial.number], self._told[trial.number] = trial.to_json(), trial
        except UpdateFinishedTrialError:
            # Or it was told before the connection broke.
            self._catch_up()
        self._close(trial)
        del self._asked[trial.number]

    @patient
    @uninterrupted()
    def advance(self, trial: Trial) -> None:
        """Keep a trial's later rungs with the study: Optuna lets nothing be added to a finished trial."""
        self._study.set_user_attr(advanced_key(trial.number), trial.to_json())
        self._latest[trial.number], self._told[trial.number] = trial.to_json(), trial

    def _close(self, trial: Trial) -> None:
        """Give Optuna the outcome of a trial that the record already holds, where nobody did."""
        values = None
        if trial.state == "trained":
            negative_psnr, runtime_ms, activations = trial.objectives
            values = [-negative_psnr, runtime_ms, activations]
        with contextlib.suppress(UpdateFinishedTrialError):
            self._storage.set_trial_state_values(self._id(trial.number), STATES[trial.state], values)

    @patient
    @uninterrupted()
    def abandon(self, number: int) -> None:
        """Close the trial as failed and queue its architecture."""
        self._give_back(self._everything()[number])
        self._asked.pop(number, None)

    def _give_back(self, trial: FrozenTrial) -> None:
        """Close a trial and queue its architecture; of several processes that do so one alone, which closed it."""
        trial_id = self._id(trial.number)
        try:
            self._storage.set_trial_state_values(trial_id, TrialState.FAIL)
        except UpdateFinishedTrialError:
            return
        # It may have been told at the last moment.
        if TRIAL not in self._storage.get_trial(trial_id).user_attrs:
            self._queue(picks_of(trial))

    def _queue(self, picks: dict[str, Any]) -> None:
        """Have an architecture asked for before anything is proposed; one of another space is left out."""
        if len(picks) == len(self._space.choices):
            self._study.enqueue_trial(picks, user_attrs={QUEUED: True})

    def _requeue_lost(self) -> None:
        """Queue again what a process asked for that is lost.

        Optuna's own retry would copy the constraint of the lost trial, and journals have no heartbeat.
        """
        for trial in self._everything():
            if trial.state != TrialState.RUNNING or trial.number in self._asked:
                continue
            # Its own is lost where the connection broke while it was asked for.
            if not self._hearts.has_lost(trial):
                continue
            if TRIAL in trial.user_attrs:
                self._close(Trial.from_json(trial.user_attrs[TRIAL]))
            else:
                self._give_back(trial)

    def _requeue_forgotten(self) -> None:
        """Queue again what was given back by a process that was killed before it had queued it."""
        everything = self._everything()
        there = [picks_of(trial) for trial in everything if is_live(trial)]
        for trial in everything:
            if closed_for_nothing(trial) and picks_of(trial) not in there:
                self._queue(picks_of(trial))
                there.append(picks_of(trial))

    def _key(self, trial: FrozenTrial) -> str:
        """Return what names the network of a trial; nothing where it has none, or one of another space."""
        picks = picks_of(trial)
        if trial.number not in self._keys and len(picks) == len(self._space.choices):
            self._keys[trial.number] = self._space.decode(picks).key
        return self._keys.get(trial.number, "")

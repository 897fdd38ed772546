"""The processes that work on a study: each counts up in it while it lives, and hears who does no more."""

import threading
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from nas.optuna_backend.owner import Silence, describe, has_ended, id_of, new_owner
from nas.optuna_backend.patience import is_away
from nas.optuna_backend.pulse import Pulse
from nas.optuna_backend.stored import ALIVE, LEFT, WORKER, heart_of
from sr.errors import InputError


class Hearts:
    """Those of all processes of a study, this one's among them, which beats from `join` to `leave`.

    Args:
        study: Whose they are.
        storage: Where it lies.
        study_id: What the storage calls it.
    """

    def __init__(self, study: optuna.Study, storage: BaseStorage, study_id: int) -> None:
        self._study, self._storage, self._study_id = study, storage, study_id
        self.owner = new_owner()
        self.id = id_of(self.owner)
        self._beats, self._rank, self._has_left = 0, 0, True
        self._silence, self._pulse, self._mouth = Silence(), Pulse(self._beat), threading.Lock()

    def join(self) -> None:
        """Begin to beat, behind all who came before."""
        with self._mouth:
            if self._has_left:
                self._rank = 1 + max((heart["rank"] for heart in self._all().values()), default=0)
                self._beats += 1
                self._say(self._beats)
                self._has_left = False
        self._pulse.start()

    def leave(self) -> None:
        """Stand still, which the others see at once."""
        with self._mouth:
            self._has_left = True
            self._say(LEFT)

    def listen(self) -> None:
        """Take in how far others have counted, also those that never did."""
        beats: dict[str, int | None] = {ALIVE + who: heart["count"] for who, heart in self._all().items()}
        trials = self._study.get_trials(deepcopy=False)
        hearts = {heart_of(trial) for trial in trials if trial.state == TrialState.RUNNING}
        self._silence.look(dict.fromkeys(hearts) | beats)

    def others(self) -> dict[str, Any]:
        """Return by their ids the hearts of the other processes that go on, as far as is known."""
        return {who: heart for who, heart in self._all().items() if who != self.id and self._lives(who, heart)}

    def holders(self) -> list[str]:
        """Return who the others are, for people, in the order in which they came."""
        return [describe(heart["owner"]) for heart in sorted(self.others().values(), key=lambda heart: heart["rank"])]

    def is_heir(self, others: Mapping[str, Any]) -> bool:
        """Return whether this process takes what is left by those that live no more: the first that came does.

        Who comes later never takes what an heir is at work on.
        """
        return all((self._rank, self.id) < (heart["rank"], who) for who, heart in others.items())

    def has_lost(self, trial: FrozenTrial) -> bool:
        """Return whether nobody works on a running trial, that of this process where it was not handed out to it."""
        owner = trial.user_attrs.get(WORKER)
        return owner == self.owner or has_ended(owner) or self._silence.is_lost(heart_of(trial))

    def _all(self) -> dict[str, Any]:
        """Return by their ids the hearts of all processes that ever joined."""
        names = self._storage.get_study_user_attrs(self._study_id).items()
        return {name.removeprefix(ALIVE): heart for name, heart in names if name.startswith(ALIVE)}

    def _lives(self, who: str, heart: Mapping[str, Any]) -> bool:
        """Return whether another process goes on, as far as is known."""
        if heart["count"] == LEFT or has_ended(heart["owner"]):
            return False
        return not self._silence.is_lost(ALIVE + who)

    def _say(self, count: int) -> None:
        """Write how far this process has counted."""
        heart = {"count": count, "rank": self._rank, "owner": self.owner}
        self._storage.set_study_user_attr(self._study_id, ALIVE + self.id, heart)

    def _beat(self) -> None:
        """Count up, so that others leave its trials to this process; and listen to them."""
        try:
            with self._mouth:
                if self._has_left:
                    return
                self._say(self._beats + 1)
                self._beats += 1
            self.listen()
        except (InputError, OSError):
            # A full disk: the main thread meets it where it matters. A heart that fails now may beat the next time.
            return
        except Exception as error:
            if not is_away(error):
                raise

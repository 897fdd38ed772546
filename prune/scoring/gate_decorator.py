"""Gate Decorator for super-resolution: ticks score the gates and drop a little, tocks train what is left.

Source: You, Yan, Ye, Ma, Wang, "Gate Decorator: Global Filter Pruning Method for Accelerating Deep Convolutional Neural
Networks", NeurIPS 2019; without its batch norm, as AHC-SRN (AIM 2020) used it per convolution.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from prune.scoring.gates import Gated, Scores
from prune.scoring.pace import Pace
from prune.scoring.schedule import Schedule
from prune.selection.state import Selection
from sr.data.pairs import Pairs, fitting_patch
from sr.errors import InputError
from sr.progress import Report, no_report
from sr.tensors import read_tensors, write_tensors
from sr.training.autotune import autotune
from sr.training.fit import fit
from sr.training.recipe import Recipe

# How much of its score a unit keeps from the ticks before.
MEMORY = 0.5
# What a round keeps beside the state until it is over.
_PARTS = ("pace", "tick", "choice", "tock")

# Returns what is left of the rounds with the one that is about to begin: as much as it is told, or less.
AskPace = Callable[[Pace], Pace]
# Makes the selection of a round from the share of all rounds that is over with it, the scores, and what is alive.
Choose = Callable[[float, Scores, list[NDArray[np.bool_]]], Selection]


@dataclass(frozen=True)
class Rounds:
    """What the rounds so far came to.

    Attributes:
        done: How many there were.
        scores: Per site those of its gates.
        alive: What is kept of the groups that are chosen among.
        left: What is left of them.
        share: How far on the way to the limits they came, 0 to 1.
        ended: Whether a round was one too many, so that no other follows.
    """

    done: int
    scores: Scores
    alive: list[NDArray[np.bool_]]
    left: Pace
    share: float = 0.0
    ended: bool = False

    @property
    def are_over(self) -> bool:
        """Whether no other follows."""
        return self.ended or self.left.rounds == 0

    @property
    def next_share(self) -> float:
        """How far the next one comes: those that are left share the rest of the way."""
        return 1.0 if self.left.rounds == 1 else self.share + (1 - self.share) / self.left.rounds


class GateDecorator:
    """The rounds of a pruning.

    On the CPU a pruning that was killed, within a tick or anywhere, ends bit for bit like one that was not.

    Args:
        gated: The network, with the schedule's penalty on its gates; trained in place.
        schedule: How long and how fast.
        pairs: What is learnt from.
        device: Where it is trained.
        alive: What is kept of the groups that are chosen among when it begins.
        state: Where it writes itself after each round, and goes on from.
        teacher: What a schedule with `distillation` learns from.
        report: Is told of the steps.

    Raises:
        InputError: Where `state` is of another pruning.
    """

    def __init__(
        self,
        gated: Gated,
        schedule: Schedule,
        pairs: Pairs,
        device: torch.device,
        *,
        alive: list[NDArray[np.bool_]],
        state: Path,
        teacher: nn.Module | None = None,
        report: Report = no_report,
    ) -> None:
        self.gated = gated.to(device)
        left = Pace(schedule.rounds, schedule.tick_steps, schedule.tock_steps)
        self.rounds = Rounds(0, [np.zeros(site.units) for site in gated.sites], alive, left)
        self.autotuned: dict[str, str] = {}
        self._schedule, self._pairs, self._device, self._state = schedule, pairs, device, state
        self._teacher, self._report = teacher if schedule.distillation else None, report
        if state.exists():
            self._restore()

    def run(
        self,
        choose: Choose,
        *,
        label: str,
        rounds: int,
        enough: Callable[[], bool] | None = None,
        pace: AskPace | None = None,
    ) -> None:
        """Go through what is left of so many rounds.

        Args:
            choose: Makes the selection of each round.
            label: What the steps are reported as.
            rounds: How many, with those that are over.
            enough: Asked after each round; where it says so, that round is taken back and the rounds end.
            pace: Asked before each round for what is left with it; where that is nothing the rounds end.
        """
        while self.rounds.done < rounds and not self.rounds.are_over:
            self.autotune()
            before, parts = self.content(), [self.part(kind) for kind in _PARTS]
            self._take_pace(pace)
            if self.rounds.are_over:
                self.rounds = replace(self.rounds, ended=True)
            else:
                number = self.rounds.done
                self._round(number, choose, f"{label}, round {number + 1} of {number + self.rounds.left.rounds}")
                if enough is not None and enough():
                    self.take(before | {"ended": True})
            # Once it is judged: what lies on disk is never a round that is yet to be taken back.
            self.save()
            for part in parts:
                part.unlink(missing_ok=True)

    def autotune(self) -> None:
        """Find how to train fastest, once; written at once, for a round that was killed goes on in the same way."""
        if not self.autotuned:
            recipe = autotune(
                self.gated, self._fitting(self._schedule.tock(0)), self._pairs, self._device, teacher=self._teacher
            )
            self.autotuned = {"precision": recipe.precision, "memory_format": recipe.memory_format}
            self.save()

    def part(self, kind: str) -> Path:
        """Return where a part of this round, its pace, a tick, a choice or a tock, keeps its own state."""
        return self._state.with_name(f"{self._state.name}.{self.rounds.done + 1}-{kind}")

    def content(self) -> dict[str, Any]:
        """Return all that the next round depends on."""
        return {
            "schedule": asdict(self._schedule),
            "round": self.rounds.done,
            "left": asdict(self.rounds.left),
            "share": self.rounds.share,
            "ended": self.rounds.ended,
            "scores": [torch.from_numpy(score) for score in self.rounds.scores],
            "alive": [torch.from_numpy(alive) for alive in self.rounds.alive],
            "autotuned": self.autotuned,
            "network": {name: tensor.clone() for name, tensor in self.gated.state_dict().items()},
        }

    def take(self, content: Mapping[str, Any]) -> None:
        """Go on from what `content` gave."""
        self.gated.load_state_dict(content["network"])
        scores, alive = ([tensor.numpy() for tensor in content[name]] for name in ("scores", "alive"))
        left, share, ended = Pace(**content["left"]), content["share"], content["ended"]
        self.rounds = Rounds(content["round"], scores, alive, left, share, ended)
        self.autotuned = content["autotuned"]

    def save(self) -> None:
        """Write the state, complete or not at all."""
        write_tensors(self._state, self.content())

    def _round(self, number: int, choose: Choose, label: str) -> None:
        """Score, drop and train."""
        self.gated.train_gates_alone(alone=True)
        self.gated.reset_scores()
        left, share = self.rounds.left, self.rounds.next_share
        self._fit(replace(self._schedule.tick(number), steps=left.tick_steps), "tick", label)
        scores = remembered(self.rounds.scores, self.gated.scores(), self.gated.alive())
        self.rounds = replace(self.rounds, scores=scores)
        self._drop(choose, share)
        self.gated.train_gates_alone(alone=False)
        self._fit(replace(self._schedule.tock(number), steps=left.tock_steps), "tock", label)
        self.rounds = replace(self.rounds, done=number + 1, share=share, left=replace(left, rounds=left.rounds - 1))

    def _take_pace(self, ask: AskPace | None) -> None:
        """Ask for what is left; it stands after a kill, for it rests on the time."""
        path = self.part("pace")
        if path.exists():
            self.rounds = replace(self.rounds, left=Pace(**_read(path)))
        elif ask is not None:
            self.rounds = replace(self.rounds, left=ask(self.rounds.left))
            write_tensors(path, asdict(self.rounds.left))

    def _drop(self, choose: Choose, share: float) -> None:
        """Choose what stays and mask the rest; a choice stands after a kill, for it may rest on what was measured."""
        path = self.part("choice")
        if path.exists():
            content = _read(path)
            self.gated.load_state_dict(content["masks"], strict=False)
            self.rounds = replace(self.rounds, alive=[alive.numpy() for alive in content["alive"]])
            return
        selection = choose(share, self.rounds.scores, self.rounds.alive)
        self.rounds = replace(self.rounds, alive=selection.alive)
        self.gated.mask(selection.plan.kept)
        masks = {name: tensor for name, tensor in self.gated.state_dict().items() if name.endswith("_mask")}
        write_tensors(path, {"masks": masks, "alive": [torch.from_numpy(alive) for alive in selection.alive]})

    def _fitting(self, recipe: Recipe) -> Recipe:
        """Return a recipe as autotuned, with patches that some picture can give."""
        return replace(recipe, patch=fitting_patch(self._pairs, recipe.patch), **self.autotuned)  # type: ignore[arg-type]

    def _fit(self, recipe: Recipe, kind: str, label: str) -> None:
        """Train, going on from a kill."""
        fit(
            self.gated, self._fitting(recipe), self._pairs, self._device, state=self.part(kind),
            label=f"{label}, {kind}", teacher=self._teacher if recipe.distillation else None, report=self._report,
        )  # fmt: skip

    def _restore(self) -> None:
        """Go on from the state on disk; raises InputError where it is of another pruning."""
        content = _read(self._state)
        if content.get("schedule") != asdict(self._schedule):
            raise InputError(f"{self._state} is of a pruning with another schedule; remove it to start anew")
        try:
            self.take(content)
        except (RuntimeError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{self._state} is no state of this pruning; remove it to start anew") from error


def _read(path: Path) -> dict[str, Any]:
    """Read a state; raises InputError where the file is something else."""
    try:
        content = read_tensors(path)
    except Exception as error:
        raise InputError(f"{path} is no state of a pruning; remove it to start anew") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is no state of a pruning; remove it to start anew")
    return content


def remembered(before: Sequence[NDArray[np.float64]], now: Scores, alive: Sequence[NDArray[np.bool_]]) -> Scores:
    """Return the scores after a tick: alive units average with what they had, dropped ones keep it.

    Each tick's scores are divided by their sum first, so that ticks of other lengths and losses compare.
    """
    total = sum(float(score.sum()) for score in now) or 1.0
    found = []
    for old, new, units in zip(before, now, alive, strict=True):
        mixed = MEMORY * old + (1 - MEMORY) * new / total if old.any() else new / total
        found.append(np.where(units, mixed, old))
    return found

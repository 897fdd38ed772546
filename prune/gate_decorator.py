"""Gate Decorator for super-resolution: ticks score the gates and drop a little, tocks train what is left.

Source: You, Yan, Ye, Ma, Wang, "Gate Decorator: Global Filter Pruning Method for Accelerating Deep Convolutional Neural
Networks", NeurIPS 2019; without its batch norm, as AHC-SRN (AIM 2020) used it per convolution.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from prune.gates import Gated, Scores
from prune.selection import Selection
from sr.errors import InputError
from sr.files import write_bytes
from sr.pairs import Pairs
from sr.recipe import Recipe
from sr.settling import settle
from sr.training import fit

# How much of its score a unit keeps from the ticks before.
MEMORY = 0.5
# What a round keeps beside the state until it is over.
PARTS = ("tick", "choice", "tock")

# Makes the selection of a round from the share of the way that is then behind, the scores, and what is alive.
Choose = Callable[[float, Scores, list[NDArray[np.bool_]]], Selection]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: `rounds` of one tick and one tock.

    learning_rate: of a tock's apex; a tick trains the gates at `tick_learning_rate`. gate_penalty: the L1 penalty per
    gate. distillation: the dense network's share in the loss. Raises ValueError outside its laws.
    """

    rounds: int = 8
    tick_steps: int = 30
    tock_steps: int = 100
    batch: int = 8
    patch: int = 24
    learning_rate: float = 2e-3
    tick_learning_rate: float = 1e-4
    gate_penalty: float = 1e-6
    distillation: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("rounds", "tick_steps", "tock_steps", "batch", "patch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    def tick(self, number: int) -> Recipe:
        """Return the recipe of a tick, counted from 0: only what is scored, gates, is trained."""
        return replace(
            self.tock(number), steps=self.tick_steps, schedule="constant", learning_rate=self.tick_learning_rate,
            seed=self.seed + 2 * number, distillation=0.0,
        )  # fmt: skip

    def tock(self, number: int) -> Recipe:
        """Return the recipe of a tock: everything is trained, the rate rises and falls once."""
        return Recipe(
            steps=self.tock_steps, batch=self.batch, patch=self.patch, schedule="triangular", warmup_steps=0,
            learning_rate=self.learning_rate, minimum_learning_rate=self.learning_rate / 10,
            seed=self.seed + 2 * number + 1, distillation=self.distillation,
        )  # fmt: skip


@dataclass
class Progress:
    """Where a pruning stands between two rounds: scores per site, and what is alive of the variables to choose from.

    ended: whether a round was one too many, so that no other follows.
    """

    round: int
    scores: Scores
    alive: list[NDArray[np.bool_]]
    ended: bool = False


class GateDecorator:
    """The rounds of a pruning; `state` is where it writes itself after each, and goes on from.

    On the CPU a pruning that was killed, within a tick or anywhere, ends bit for bit like one that was not.
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
    ) -> None:
        self.gated, self.schedule, self.pairs, self.device = gated.to(device), schedule, pairs, device
        self.state, self.teacher = state, teacher if schedule.distillation else None
        self.gated.gate_penalty = schedule.gate_penalty
        self.progress = Progress(0, [np.zeros(len(site.numbers)) for site in gated.sites], alive)
        self.settled: dict[str, str] = {}
        if state.exists():
            self.restore()

    def run(self, choose: Choose, *, label: str, rounds: int, enough: Callable[[], bool] | None = None) -> None:
        """Go through what is left of so many rounds, those beyond the schedule's at its end.

        enough: asked after each round; where it says so, that round is taken back and the rounds end.
        """
        while self.progress.round < rounds and not self.progress.ended:
            self.settle()
            before, parts = self.content(), [self.part(kind) for kind in PARTS]
            number = self.progress.round
            self.round(number, choose, f"{label}, round {number + 1} of {rounds}")
            if enough is not None and enough():
                self.take(before | {"ended": True})
            # Once it is judged: what lies on disk is never a round that is yet to be taken back.
            self.save()
            for part in parts:
                part.unlink(missing_ok=True)

    def settle(self) -> None:
        """Find how to train fastest, once; written at once, for a round that was killed goes on in the same way."""
        if not self.settled:
            recipe = settle(
                self.gated, self.fitting(self.schedule.tock(0)), self.pairs, self.device, teacher=self.teacher
            )
            self.settled = {"precision": recipe.precision, "memory_format": recipe.memory_format}
            self.save()

    def round(self, number: int, choose: Choose, label: str) -> None:
        """Score, drop and train."""
        self.gated.train_gates_alone(alone=True)
        self.gated.reset_scores()
        self.fit(self.schedule.tick(number), "tick", label)
        self.progress.scores = remembered(self.progress.scores, self.gated.scores(), self.gated.alive())
        self.drop(choose, min(1.0, (number + 1) / self.schedule.rounds))
        self.gated.train_gates_alone(alone=False)
        self.fit(self.schedule.tock(number), "tock", label)
        self.progress.round = number + 1

    def drop(self, choose: Choose, share: float) -> None:
        """Choose what stays and mask the rest; a choice stands after a kill, for it may rest on what was measured."""
        path = self.part("choice")
        if path.exists():
            content = read(path)
            self.gated.load_state_dict(content["masks"], strict=False)
            self.progress.alive = [alive.numpy() for alive in content["alive"]]
            return
        selection = choose(share, self.progress.scores, self.progress.alive)
        self.progress.alive = selection.alive
        self.gated.mask(selection.plan().kept)
        masks = {name: tensor for name, tensor in self.gated.state_dict().items() if name.endswith("_mask")}
        write(path, {"masks": masks, "alive": [torch.from_numpy(alive) for alive in selection.alive]})

    def part(self, kind: str) -> Path:
        """Return where a part of this round, of `PARTS`, keeps its own state."""
        return self.state.with_name(f"{self.state.name}.{self.progress.round + 1}-{kind}")

    def fitting(self, recipe: Recipe) -> Recipe:
        """Return a recipe as settled, with patches that fit into every picture."""
        return replace(recipe, patch=min(recipe.patch, self.pairs.smallest_side()), **self.settled)  # type: ignore[arg-type]

    def fit(self, recipe: Recipe, kind: str, label: str) -> None:
        """Train, going on from a kill."""
        teacher = self.teacher if recipe.distillation else None
        fit(
            self.gated,
            self.fitting(recipe),
            self.pairs,
            self.device,
            state=self.part(kind),
            label=f"{label}, {kind}",
            teacher=teacher,
        )

    def content(self) -> dict[str, Any]:
        """Return all that the next round depends on."""
        return {
            "schedule": asdict(self.schedule),
            "round": self.progress.round,
            "ended": self.progress.ended,
            "scores": [torch.from_numpy(score) for score in self.progress.scores],
            "alive": [torch.from_numpy(alive) for alive in self.progress.alive],
            "settled": self.settled,
            "network": {name: tensor.clone() for name, tensor in self.gated.state_dict().items()},
        }

    def take(self, content: Mapping[str, Any]) -> None:
        """Go on from what `content` gave."""
        self.gated.load_state_dict(content["network"])
        scores, alive = ([tensor.numpy() for tensor in content[name]] for name in ("scores", "alive"))
        self.progress = Progress(content["round"], scores, alive, ended=content["ended"])
        self.settled = content["settled"]

    def save(self) -> None:
        """Write the state, complete or not at all."""
        write(self.state, self.content())

    def restore(self) -> None:
        """Go on from the state on disk; raises InputError where it is of another pruning."""
        content = read(self.state)
        if content.get("schedule") != asdict(self.schedule):
            raise InputError(f"{self.state} is of a pruning with another schedule; remove it to start anew")
        try:
            self.take(content)
        except (RuntimeError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{self.state} is no state of this pruning; remove it to start anew") from error


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write tensors and plain values, complete or not at all."""
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    write_bytes(path, buffer.getvalue())


def read(path: Path) -> dict[str, Any]:
    """Read what `write` wrote; raises InputError where it is something else."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
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

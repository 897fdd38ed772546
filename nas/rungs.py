"""Trainings in rungs: each candidate trains a little, and only the best of a rung train on to the next.

Asynchronous successive halving (Li et al., MLSys 2020) with several objectives: who is ready may be promoted at once,
nobody waits for a rung to fill.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from search_spaces.architecture import Architecture
from search_spaces.network import untrained
from sr.checkpoint import Checkpoint, Description, load, load_network, one_line, save
from sr.errors import InputError
from sr.pairs import Pairs
from sr.pareto import crowding, non_dominated_sort
from sr.recipe import Recipe
from sr.training import Fitted, fit

# Of each front so many places in a row go to the best PSNR, and the next one to who stands most alone.
SPREAD_EVERY = 3
# Between the seeds of two rungs, so that no rung sees the patches of another; a prime, far from a user's 0, 1, 2.
SEED_STRIDE = 1_000_003
# What a training finds out about the device: it may differ between two runs of one recipe.
SETTLED = ("precision", "memory_format")


@dataclass(frozen=True)
class Ladder:
    """How many steps a candidate has trained in all after each rung, and that one of `eta` is promoted.

    Raises InputError where the steps do not rise or `eta` is less than 2.
    """

    steps: tuple[int, ...]
    eta: int = 4

    def __post_init__(self) -> None:
        if self.eta < 2:
            raise InputError(f"one of at least 2 candidates of a rung is promoted, got one of {self.eta}")
        if not self.steps or any(more <= less for less, more in zip((0, *self.steps), self.steps, strict=False)):
            raise InputError(
                f"each rung must take more steps than the one before, got {list(self.steps)}: train longer"
            )

    @property
    def top(self) -> int:
        """The number of the last rung, counted from 0."""
        return len(self.steps) - 1

    def more_steps(self, rung: int) -> int:
        """Return the steps that a rung adds to those of the rung before."""
        return self.steps[rung] - (self.steps[rung - 1] if rung else 0)


def ladder(steps: int, rungs: int = 3, eta: int = 4) -> Ladder:
    """Return the ladder to a full training of `steps`, each rung 1/eta of the next; InputError where one adds none."""
    # With an eta of 0 it is the ladder's law that speaks.
    return Ladder(tuple(round(steps / max(1, eta) ** below) for below in reversed(range(rungs))), eta)


@dataclass(frozen=True)
class Rung:
    """What a candidate reached on a rung: steps trained in all, PSNR in dB, seconds that this rung took."""

    steps: int
    psnr: float
    seconds: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.psnr):
            raise ValueError(f"the PSNR of a rung is finite, got {self.psnr}")

    def to_json(self) -> dict[str, Any]:
        """Return JSON values from which `from_json` makes an equal rung."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Rung":
        """Make the rung that `to_json` described."""
        return cls(**values)


@dataclass(frozen=True)
class Candidate:
    """A candidate on the ladder: its objectives besides the quality, and the rungs that it finished.

    key: its architecture's. state: `training` on the rung after those, `failed` there, or `waiting`.
    """

    key: str
    runtime_ms: float
    activations: float
    rungs: tuple[Rung, ...] = ()
    feasible: bool = True
    state: Literal["waiting", "training", "failed"] = "waiting"

    def promoted_from(self, rung: int) -> bool:
        """Tell whether it began the rung after this one."""
        return len(self.rungs) > rung + 1 or (len(self.rungs) == rung + 1 and self.state != "waiting")


Score = Callable[[Candidate, int], float]


def rung_psnr(candidate: Candidate, rung: int) -> float:
    """Score a candidate by the PSNR in dB that it has on a rung; see `nas.quality_regression` for a better one."""
    return candidate.rungs[rung].psnr


def promotable(candidates: Iterable[Candidate], ladder: Ladder, score: Score = rung_psnr) -> str | None:
    """Return the key of the candidate that trains on by one rung; None where it is time to start another.

    From the top rung down: the best of those in its `places` that was not promoted yet. What is over the budget counts
    among them and is never promoted. score: what is ranked by on a rung, more is better.
    """
    known = list(candidates)
    for rung in reversed(range(ladder.top)):
        ranked = ranking(known, rung, score)
        for candidate in ranked[: places(len(ranked), rung, ladder.eta)]:
            if candidate.feasible and not candidate.promoted_from(rung):
                return candidate.key
    return None


def places(finished: int, rung: int, eta: int) -> int:
    """Return how many of those that finished a rung go on: 1/eta of them, rounded down.

    Above the first rung at least one does, the first of its rung at once: what a full training gives is known early,
    and even a short search ends with one.
    """
    return max(finished // eta, min(rung, finished, 1))


def ranking(candidates: Iterable[Candidate], rung: int, score: Score = rung_psnr) -> list[Candidate]:
    """Return those that finished a rung, best first: within the budget, then front by front.

    The fronts are those of (-score, runtime, activations). The order does not depend on that of the candidates.
    """
    finished = sorted((each for each in candidates if len(each.rungs) > rung), key=lambda candidate: candidate.key)
    by_key = {candidate.key: candidate for candidate in finished}
    ordered: list[str] = []
    for feasible in (True, False):
        points = {
            each.key: (-score(each, rung), each.runtime_ms, each.activations)
            for each in finished
            if each.feasible is feasible
        }
        for layer in non_dominated_sort(points):
            ordered += spread({key: points[key] for key in sorted(layer)})
    return [by_key[key] for key in ordered]


def spread(front: Mapping[str, Sequence[float]]) -> list[str]:
    """Return the keys of a front by its first objective, but every third the one that stands most alone.

    So the best PSNR leads and the ends of the front are not lost, few as the places may be.
    """
    by_first = sorted(front, key=lambda key: (*front[key], key))
    alone = crowding(front)
    by_alone = sorted(by_first, key=lambda key: -alone[key])
    ordered: list[str] = []
    while len(ordered) < len(front):
        turn = by_alone if len(ordered) % SPREAD_EVERY == SPREAD_EVERY - 1 else by_first
        ordered.append(next(key for key in turn if key not in ordered))
    return ordered


def surplus(candidates: Iterable[Candidate], ladder: Ladder, expected: int, score: Score = rung_psnr) -> list[str]:
    """Return the keys of the waiting and failed candidates that will hardly be promoted, so that their weights may go.

    expected: how many candidates the first rung will have seen in the end. Those that finished the top rung stay.
    """
    known = list(candidates)
    lost = [each for each in known if each.state == "failed" or not each.feasible]
    gone = [each.key for each in lost if each.state != "training" and len(each.rungs) <= ladder.top]
    for rung in range(ladder.top):
        ranked = ranking(known, rung, score)
        kept = places(max(len(ranked), expected // ladder.eta**rung), rung, ladder.eta)
        here = [each for each in ranked[kept:] if len(each.rungs) == rung + 1 and each.state == "waiting"]
        gone += [each.key for each in here if each.feasible]
    return gone


def remove_weights(folder: Path, keys: Collection[str]) -> None:
    """Remove the weights of candidates; one that is promoted all the same trains its rungs again."""
    for key in keys:
        for path in (weights_path(folder, key), *folder.glob(f"{key}.rung*.state")):
            path.unlink(missing_ok=True)


def weights_path(folder: Path, key: str) -> Path:
    """Return where the weights of a candidate lie, those of the last rung that it finished."""
    return folder / f"{key}.pth"


def train_rung(
    architecture: Architecture,
    rung: int,
    ladder: Ladder,
    recipe: Recipe,
    pairs: Pairs,
    device: torch.device,
    folder: Path,
    initial: nn.Module | None = None,
    *,
    teacher: nn.Module | None = None,
    label: str = "training",
    quiet: bool = True,
) -> Fitted:
    """Train a candidate by one rung, from the weights in `folder` that the rung before left, and leave its own there.

    The steps are the ladder's, see `rung_recipe`. initial: where the first rung starts, left as it is; else weights
    drawn from the recipe's seed. A killed rung goes on; a finished one is read, not trained again; a missing one below
    is trained again, its seconds included. Raises what `fit` raises, and InputError where `folder` holds weights of
    another recipe or ladder.
    """
    path, seconds = weights_path(folder, architecture.key), 0.0
    found = finished(path, ladder, recipe)
    done = -1 if found is None or rung_of(found) > rung else rung_of(found)
    for index in range(done + 1, rung + 1):
        state = folder / f"{architecture.key}.rung{index}.state"
        network = load_network(path) if index else drawn(architecture, recipe, initial)
        settled = {} if found is None else {name: found.recipe[name] for name in SETTLED}
        own = replace(rung_recipe(recipe, ladder, index), **settled)
        fitted = fit(network, own, pairs, device, teacher=teacher, state=state, label=label, quiet=quiet)
        seconds += fitted.seconds
        found = as_checkpoint(architecture, fitted, ladder.steps[: index + 1], seconds)
        save(path, found)
        state.unlink(missing_ok=True)
    assert found is not None
    network = load_network(path).to(device)
    return Fitted(network, Recipe(**found.recipe), found.provenance["loss"], found.provenance["seconds"])


def rung_recipe(recipe: Recipe, ladder: Ladder, rung: int) -> Recipe:
    """Return how a rung trains: the steps that it adds, annealed by a cosine of its own, on patches of its own.

    The warm-up takes at most a fifth of the steps.
    """
    steps = ladder.more_steps(rung)
    return replace(
        recipe,
        steps=steps,
        schedule="cosine",
        warmup_steps=min(recipe.warmup_steps, steps // 5),
        seed=recipe.seed + SEED_STRIDE * rung,
    )


def drawn(architecture: Architecture, recipe: Recipe, initial: nn.Module | None) -> nn.Module:
    """Return the network that the first rung starts from; raises InputError where the initial weights do not fit."""
    torch.manual_seed(recipe.seed)
    network = untrained(architecture)
    if initial is not None:
        try:
            network.load_state_dict(initial.state_dict())
        except RuntimeError as error:
            raise InputError(
                f"the initial weights are not those of {architecture.summary}: {one_line(error)}"
            ) from error
    return network


def finished(path: Path, ladder: Ladder, recipe: Recipe) -> Checkpoint | None:
    """Return what the last finished rung left at `path`, or None; InputError where that is of something else."""
    if not path.exists():
        return None
    checkpoint = load(path)
    steps = checkpoint.provenance.get("ladder")
    if not isinstance(steps, list) or not steps or tuple(steps) != ladder.steps[: len(steps)]:
        raise InputError(f"{path} is of another ladder, {steps} steps; remove it to start anew")
    own = rung_recipe(recipe, ladder, rung_of(checkpoint))
    theirs = dict(checkpoint.recipe) | {name: getattr(own, name) for name in SETTLED}
    if theirs != asdict(own):
        raise InputError(f"{path} was trained by another recipe; remove it to start anew")
    return checkpoint


def rung_of(checkpoint: Checkpoint) -> int:
    """Return the number of the rung that left a checkpoint."""
    return len(checkpoint.provenance["ladder"]) - 1


def as_checkpoint(architecture: Architecture, fitted: Fitted, steps: tuple[int, ...], seconds: float) -> Checkpoint:
    """Describe what a rung leaves: its weights, and the steps trained in all after each rung up to it."""
    return Checkpoint(
        Description("searched", architecture.to_json()),
        fitted.network.state_dict(),
        recipe=asdict(fitted.recipe),
        provenance={"ladder": list(steps), "loss": fitted.loss, "seconds": seconds},
    )

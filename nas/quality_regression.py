"""What PSNR an architecture is likely to reach: a small ridge regression over its costs, its blocks and a cheap PSNR.

It filters and orders; a PSNR that is reported is always measured. A fraction of a training flatters what learns soon,
such as wide networks of few blocks; costs and depth say what goes on learning.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nas.rank_correlation import kendall_tau
from search_spaces.architecture import AGGREGATIONS, IMAGE_SKIPS, UPSAMPLERS, Architecture
from search_spaces.blocks import BLOCKS
from sr.errors import InputError

Floats = NDArray[np.float64]

DETAILS = {"upsampler": UPSAMPLERS, "image_skip": IMAGE_SKIPS[1:], "aggregation": AGGREGATIONS}

# With fewer trained networks than this a regression would follow its noise.
MINIMUM_EXAMPLES = 6
# Weights of the penalty, in examples: from next to none to so much that little but the mean is left.
PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
# What features pay of the penalty. A cheap PSNR next to nothing, just enough to invert by where it never varied: what
# else is known has to earn a change of its order. Each single kind and choice pays as if it varied a third as much.
FREE, MAIN, DETAIL = 1e-4, 1.0, 10.0
# The prior's slope, dB for ten times the multiply-adds: only its sign is ever relied on.
DB_PER_DECADE = 0.5


class Counted(Protocol):
    """The counts that the regression reads: those of `sr.complexity.Complexity` or of `nas.counting.Counts`."""

    @property
    def params(self) -> int:
        """Elements of all parameters."""
        ...

    @property
    def multi_adds(self) -> int:
        """Multiply-accumulates for one LR image."""
        ...

    @property
    def activations(self) -> int:
        """Elements of all outputs of convolutions."""
        ...


@dataclass(frozen=True)
class Example:
    """A network that was trained far enough: what it cost to know early, and the PSNR in dB that it reached.

    cheap_psnr: dB of every cheap score that it has, by the name of the score.
    """

    architecture: Architecture
    complexity: Counted
    cheap_psnr: Mapping[str, float]
    psnr: float


@dataclass(frozen=True)
class Expected:
    """An expected PSNR and its standard deviation, dB; where that is infinite, the PSNR tells nothing but an order."""

    psnr: float
    std: float


@dataclass(frozen=True)
class Error:
    """How wrong the regression is on networks that it did not see: each is left out and predicted from the others.

    mae: mean absolute error, dB; tau: Kendall's tau of predicted and reached PSNR; None where there are too few.
    """

    mae: float | None
    tau: float | None
    examples: int


@dataclass(frozen=True, eq=False)
class Ridge:
    """A ridge regression of (n, p) rows, standardised, with a free intercept.

    A feature that never varied has the scale 1: nothing is learnt about it, and where it varies later the leverage says
    so. inverse: of the penalised Gram matrix, (p, p).
    """

    centre: Floats
    scale: Floats
    inverse: Floats
    weights: Floats
    level: float
    count: int

    def predict(self, row: Floats) -> float:
        """Return the prediction for a row (p,)."""
        return float(self.level + self.standardised(row) @ self.weights)

    def leverage(self, row: Floats) -> float:
        """Return the variance of the prediction for a row (p,), in variances of the noise."""
        at = self.standardised(row)
        return float(1 / self.count + at @ self.inverse @ at)

    def standardised(self, row: Floats) -> Floats:
        """Return a row (p,) in the units in which the regression sees it."""
        return (row - self.centre) / self.scale


@dataclass(frozen=True)
class Prior:
    """What stands in for the regression where examples are few: the level of a few, and a fixed slope of one feature.

    With a cheap PSNR that is the feature, at 1 dB a dB; else multiply-adds.
    """

    feature: int
    slope: float
    level: float

    def predict(self, row: Floats) -> float:
        """Return the prediction for a row (p,)."""
        return float(self.level + self.slope * row[self.feature])


@dataclass(frozen=True)
class QualityRegression:
    """A fitted regression; `cheap` names the cheap PSNRs that it reads. noise: variance of what it cannot explain."""

    cheap: tuple[str, ...]
    model: Ridge | Prior
    noise: float
    error: Error

    def predict(self, architecture: Architecture, complexity: Counted, cheap_psnr: Mapping[str, float]) -> Expected:
        """Return the PSNR that is expected; raises InputError where a cheap PSNR that is read is missing."""
        row = features(architecture, complexity, cheap_psnr, self.cheap)
        if isinstance(self.model, Prior):
            return Expected(self.model.predict(row), math.inf)
        return Expected(self.model.predict(row), math.sqrt(self.noise * (1 + self.model.leverage(row))))

    def in_words(self) -> str:
        """Say in one line what is predicted from what, and how wrong that was on networks it did not see."""
        error = self.error
        if isinstance(self.model, Prior):
            stated = f"{self.cheap[-1]} PSNR plus a constant" if self.cheap else "the order of multiply-adds"
            return f"expected PSNR: {stated}, a guess: {error.examples} of {MINIMUM_EXAMPLES} trained networks known"
        tau = "no tau, all the same" if error.tau is None else f"Kendall's tau {error.tau:.2f}"
        source = " and ".join(["costs and blocks", *(f"{name} PSNR" for name in self.cheap)])
        wrong = f"mean error {error.mae:.3f} dB, {tau}"
        return f"expected PSNR: from {source}; on networks it did not see (each of {error.examples} left out): {wrong}"


def fit(examples: Sequence[Example], cheap: Sequence[str] = ()) -> QualityRegression:
    """Fit to trained networks, those cheap PSNRs being features too; with fewer than 6 a stated prior stands in.

    Raises InputError where an example lacks one of them or a PSNR is not finite.
    """
    names = tuple(cheap)
    rows, targets, networks = known_of(examples, names)
    known = len(set(networks))
    if known < MINIMUM_EXAMPLES:
        return QualityRegression(names, prior(rows, targets, names), math.inf, Error(None, None, known))
    missed, leverages = left_out(rows, targets, networks, charges(names))
    tau = kendall_tau([float(value) for value in targets + missed], [float(value) for value in targets])
    error = Error(float(np.abs(missed).mean()), tau, known)
    # Each miss is as uncertain as the noise and the prediction's own variance together.
    noise = float(np.mean(missed**2 / (1 + leverages)))
    return QualityRegression(names, ridge(rows, targets, charges(names)), noise, error)


def expected_unseen(examples: Sequence[Example], cheap: Sequence[str] = ()) -> list[float]:
    """Return the PSNR that is expected of each network, dB, from all others alone; raises InputError as `fit` does."""
    names = tuple(cheap)
    rows, targets, networks = known_of(examples, names)
    if len(set(networks)) <= MINIMUM_EXAMPLES:
        raise InputError(f"a regression is judged on more than {MINIMUM_EXAMPLES} networks, got {len(set(networks))}")
    missed, _ = left_out(rows, targets, networks, charges(names))
    return [float(value) for value in targets + missed]


def known_of(examples: Sequence[Example], cheap: tuple[str, ...]) -> tuple[Floats, Floats, list[str]]:
    """Return the features (n, p), the final PSNRs (n,) in dB and the keys of examples."""
    rows = np.array([features(each.architecture, each.complexity, each.cheap_psnr, cheap) for each in examples])
    targets = np.array([finite("final", each.psnr) for each in examples])
    return rows, targets, [each.architecture.key for each in examples]


def features(
    architecture: Architecture, complexity: Counted, cheap_psnr: Mapping[str, float], cheap: Sequence[str]
) -> Floats:
    """Return what the regression sees (p,): the logarithm of multiply-adds first, the cheap PSNRs last."""
    built = architecture.canonical
    kinds = [block.kind for block in built.blocks if block.kind != "identity"]
    blocks = max(1, len(kinds))
    return np.array(
        [
            *(math.log10(value) for value in (complexity.multi_adds, complexity.params, complexity.activations)),
            built.num_feat,
            math.log10(blocks),
            float(built.image_skip == "none"),
            *(kinds.count(kind) / blocks for kind in BLOCKS if kind != "identity"),
            *(float(getattr(built, name) == value) for name, values in DETAILS.items() for value in values),
            *(finite(name, cheap_psnr.get(name)) for name in cheap),
        ]
    )


def charges(cheap: Sequence[str]) -> Floats:
    """Return what each feature (p,) pays of the penalty."""
    details = len(BLOCKS) - 1 + sum(map(len, DETAILS.values()))
    return np.array([MAIN] * 6 + [DETAIL] * details + [FREE] * len(cheap))


def finite(name: str, psnr: float | None) -> float:
    """Return a PSNR; raises InputError where it is missing or not finite."""
    if psnr is None or not math.isfinite(psnr):
        raise InputError(f"the quality regression takes the {name} PSNR in dB of every network, got {psnr}: measure it")
    return psnr


def prior(rows: Floats, targets: Floats, cheap: Sequence[str]) -> Prior:
    """Return the prior through the mean of the examples; without any its level is 0."""
    feature, slope = (-1, 1.0) if cheap else (0, DB_PER_DECADE)
    level = float(np.mean(targets - slope * rows[:, feature])) if len(rows) else 0.0
    return Prior(feature, slope, level)


def ridge(rows: Floats, targets: Floats, charges: Floats) -> Ridge:
    """Fit rows (n, p) to targets (n,) with the penalty whose leave-one-out errors are least; of equals the larger.

    charges: (p,) what each feature pays of the penalty.
    """
    centre, scale = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(scale > 1e-9 * (1 + np.abs(centre)), scale, 1.0)
    standard, level = (rows - centre) / scale, float(targets.mean())
    missed = {penalty: leave_one_out(standard, targets, penalty * charges) for penalty in PENALTIES}
    penalty = min(PENALTIES, key=lambda each: (float(np.sum(missed[each] ** 2)), -each))
    inverse = penalised_inverse(standard, penalty * charges)
    weights = inverse @ standard.T @ (targets - level)
    return Ridge(centre, scale, inverse, weights, level, len(rows))


def leave_one_out(centred: Floats, targets: Floats, penalties: Floats) -> Floats:
    """Return by how much each target (n,) is missed by a fit of the others to centred rows (n, p), intercept included.

    From one fit by the identity e / (1 - h), where h is the diagonal of the hat matrix (Allen's PRESS, 1974).
    """
    hat = 1 / len(targets) + centred @ penalised_inverse(centred, penalties) @ centred.T
    result: Floats = (hat @ targets - targets) / (1 - np.diagonal(hat))
    return result


def penalised_inverse(centred: Floats, penalties: Floats) -> Floats:
    """Return the inverse (p, p) of the Gram matrix of rows (n, p) plus the penalties (p,) on its diagonal."""
    return np.linalg.inv(centred.T @ centred + np.diag(penalties)).astype(np.float64, copy=False)


def left_out(rows: Floats, targets: Floats, networks: Sequence[str], charges: Floats) -> tuple[Floats, Floats]:
    """Return by how much each target (n,) is missed by a fit that did not see its network, and the leverage there.

    Everything is chosen anew without it, the penalty and the units too: an error that chose them would flatter itself.
    """
    missed, leverages = np.zeros(len(targets)), np.zeros(len(targets))
    for network in dict.fromkeys(networks):
        seen = np.array([other != network for other in networks])
        model = ridge(rows[seen], targets[seen], charges)
        for index in np.flatnonzero(~seen):
            missed[index] = model.predict(rows[index]) - targets[index]
            leverages[index] = model.leverage(rows[index])
    return missed, leverages

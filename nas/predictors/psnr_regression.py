"""What PSNR an architecture is likely to reach: a small ridge regression over its costs, its blocks and a cheap PSNR.

It filters and orders; a PSNR that is reported is always measured. A fraction of a training flatters what learns soon,
such as wide networks of few blocks; costs and depth say what goes on learning.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nas.predictors.ridge import Floats, Ridge, fit_best_ridge
from search_spaces.architecture import AGGREGATIONS, IMAGE_SKIPS, UPSAMPLERS, Architecture
from search_spaces.kinds import BLOCKS
from sr.errors import InputError
from sr.rank_correlation import kendall_tau, share_in_order

_DETAILS = {"upsampler": UPSAMPLERS, "image_skip": IMAGE_SKIPS[1:], "aggregation": AGGREGATIONS}

# With fewer trained networks than this a regression would follow its noise.
_MINIMUM_EXAMPLES = 6
# The error is judged by so many fits at the most.
_PARTS = 40
# Weights of the penalty, in examples: from next to none to so much that little but the mean is left.
_PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
# What features pay of the penalty. A cheap PSNR next to nothing, just enough to invert by where it never varied: what
# else is known has to earn a change of its order. Each single kind and choice pays as if it varied a third as much.
_FREE, _MAIN, _DETAIL = 1e-4, 1.0, 10.0
# The prior's slope, dB for ten times the multiply-adds: only its sign is ever relied on.
_DB_PER_DECADE = 0.5


class Counted(Protocol):
    """The counts that the regression reads: a `Complexity` has them, and a `Counts`."""

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
    """A network that was trained far enough.

    Attributes:
        architecture: Which.
        complexity: Its counts.
        cheap_psnr: dB of every cheap score that it has, by the name of the score.
        psnr: What it reached, dB.
    """

    architecture: Architecture
    complexity: Counted
    cheap_psnr: Mapping[str, float]
    psnr: float


@dataclass(frozen=True)
class Expected:
    """An expected PSNR and its standard deviation, dB; where that is infinite, the PSNR is good for an order alone."""

    psnr: float
    std: float


@dataclass(frozen=True)
class Error:
    """How wrong the regression is on networks that it did not see: each is left out and predicted from the others.

    Attributes:
        mae: Mean absolute error, dB; None where there are too few.
        tau: Kendall's tau of predicted and reached PSNR; None where there are too few or all are the same.
        examples: How many networks.
    """

    mae: float | None
    tau: float | None
    examples: int


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
class PsnrRegression:
    """A fitted regression.

    Attributes:
        cheap: The names of the cheap PSNRs that it reads.
        model: From features to dB.
        noise: Variance of what it cannot explain, dB squared; infinite for a prior.
        error: How wrong it is on networks that it did not see.
    """

    cheap: tuple[str, ...]
    model: Ridge | Prior
    noise: float
    error: Error

    def predict(self, architecture: Architecture, complexity: Counted, cheap_psnr: Mapping[str, float]) -> Expected:
        """Return the PSNR that is expected.

        Args:
            architecture: Of which network.
            complexity: Its counts.
            cheap_psnr: Its cheap PSNRs in dB by name; those that are not read make no difference.

        Raises:
            InputError: Where a cheap PSNR that is read is missing or not finite.
        """
        row = _features(architecture, complexity, cheap_psnr, self.cheap)
        if isinstance(self.model, Prior):
            return Expected(self.model.predict(row), math.inf)
        return Expected(self.model.predict(row), math.sqrt(self.noise * (1 + self.model.leverage(row))))

    def describe(self) -> str:
        """Say from what a PSNR is predicted and how wrong that was on unseen networks, as what follows its subject."""
        error = self.error
        if isinstance(self.model, Prior):
            return (
                f"was not predicted: that takes {_MINIMUM_EXAMPLES} trained networks, and {error.examples} were known"
            )
        pairs = "all the same"
        if error.tau is not None:
            pairs = f"of two networks it named the better in {100 * share_in_order(error.tau):.0f} % of cases"
        *sources, last = ["costs", "blocks", *(f"{name} PSNR" for name in self.cheap)]
        return (
            f"was predicted from {', '.join(sources)} and {last} with a mean error of {error.mae:.3f} dB ({pairs}) on "
            f"networks that the prediction had not seen, each of {error.examples} left out in turn"
        )


def fit(examples: Sequence[Example], cheap: Sequence[str] = ()) -> PsnrRegression:
    """Fit to trained networks; with fewer than six a stated prior stands in.

    Args:
        examples: The networks and what they reached.
        cheap: The names of the cheap PSNRs that are features too.

    Raises:
        InputError: Where an example lacks one of them or a PSNR is not finite.
    """
    names = tuple(cheap)
    rows, targets, networks = _table_of(examples, names)
    known = len(set(networks))
    if known < _MINIMUM_EXAMPLES:
        return PsnrRegression(names, _prior(rows, targets, names), math.inf, Error(None, None, known))
    missed, leverages = _left_out(rows, targets, networks, _penalty_shares(names))
    tau = kendall_tau([float(value) for value in targets + missed], [float(value) for value in targets])
    error = Error(float(np.abs(missed).mean()), tau, known)
    # Each miss is as uncertain as the noise and the prediction's own variance together.
    noise = float(np.mean(missed**2 / (1 + leverages)))
    model = fit_best_ridge(rows, targets, _penalty_shares(names), _PENALTIES)
    return PsnrRegression(names, model, noise, error)


def expected_unseen(examples: Sequence[Example], cheap: Sequence[str] = ()) -> list[float]:
    """Return the PSNR that is expected of each network, dB, from all others alone.

    Raises:
        InputError: As `fit` does, and where there are not more than six networks.
    """
    names = tuple(cheap)
    rows, targets, networks = _table_of(examples, names)
    if len(set(networks)) <= _MINIMUM_EXAMPLES:
        raise InputError(f"a regression is judged on more than {_MINIMUM_EXAMPLES} networks, got {len(set(networks))}")
    missed, _ = _left_out(rows, targets, networks, _penalty_shares(names))
    return [float(value) for value in targets + missed]


def _table_of(examples: Sequence[Example], cheap: tuple[str, ...]) -> tuple[Floats, Floats, list[str]]:
    """Return the features (n, p), the final PSNRs (n,) in dB and the keys of examples."""
    rows = np.array([_features(each.architecture, each.complexity, each.cheap_psnr, cheap) for each in examples])
    targets = np.array([_finite("final", each.psnr) for each in examples])
    return rows, targets, [each.architecture.key for each in examples]


def _features(
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
            *(float(getattr(built, name) == value) for name, values in _DETAILS.items() for value in values),
            *(_finite(name, cheap_psnr.get(name)) for name in cheap),
        ]
    )


def _penalty_shares(cheap: Sequence[str]) -> Floats:
    """Return what each feature (p,) pays of the penalty."""
    details = len(BLOCKS) - 1 + sum(map(len, _DETAILS.values()))
    return np.array([_MAIN] * 6 + [_DETAIL] * details + [_FREE] * len(cheap))


def _finite(name: str, psnr: float | None) -> float:
    if psnr is None or not math.isfinite(psnr):
        raise InputError(f"the PSNR regression takes the {name} PSNR in dB of every network, got {psnr}: measure it")
    return psnr


def _prior(rows: Floats, targets: Floats, cheap: Sequence[str]) -> Prior:
    """Return the prior through the mean of the examples; without any its level is 0."""
    feature, slope = (-1, 1.0) if cheap else (0, _DB_PER_DECADE)
    level = float(np.mean(targets - slope * rows[:, feature])) if len(rows) else 0.0
    return Prior(feature, slope, level)


def _left_out(rows: Floats, targets: Floats, networks: Sequence[str], shares: Floats) -> tuple[Floats, Floats]:
    """Return by how much each target (n,) is missed by a fit that did not see its network, and the leverage there.

    Everything is chosen anew without it, the penalty and the units too: an error that chose them would flatter itself.
    Of many networks several are left out at a time.
    """
    missed, leverages = np.zeros(len(targets)), np.zeros(len(targets))
    part = {network: index % _PARTS for index, network in enumerate(dict.fromkeys(networks))}
    for left_out in dict.fromkeys(part.values()):
        seen = np.array([part[network] != left_out for network in networks])
        model = fit_best_ridge(rows[seen], targets[seen], shares, _PENALTIES)
        for index in np.flatnonzero(~seen):
            missed[index] = model.predict(rows[index]) - targets[index]
            leverages[index] = model.leverage(rows[index])
    return missed, leverages

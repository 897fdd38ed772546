"""Ridge regression: standardised features, a free intercept, a penalty for each feature, and what it did not see."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

Floats = NDArray[np.float64]

# A feature that varies by less than this, beside its size, never varied: rounding is no unit to see it in.
_LEAST_SPREAD = 1e-9


@dataclass(frozen=True, eq=False)
class Ridge:
    """A fitted ridge regression of rows (p,).

    A feature that never varied has the scale 1: nothing is learnt about it, and where it varies later the leverage says
    so.

    Attributes:
        centre: Means of the features, (p,).
        scale: Their standard deviations, (p,).
        inverse: Of the penalised Gram matrix, (p, p).
        weights: Of the standardised features, (p,).
        level: The intercept.
        count: The number of rows that it was fitted to.
    """

    centre: Floats
    scale: Floats
    inverse: Floats
    weights: Floats
    level: float
    count: int

    def predict(self, row: Floats) -> float:
        """Return the prediction for a row (p,)."""
        return float(self.level + self._standardised(row) @ self.weights)

    def leverage(self, row: Floats) -> float:
        """Return the variance of the prediction for a row (p,), in variances of the noise."""
        at = self._standardised(row)
        return float(1 / self.count + at @ self.inverse @ at)

    def _standardised(self, row: Floats) -> Floats:
        return (row - self.centre) / self.scale


def fit_ridge(rows: Floats, targets: Floats, penalties: Floats) -> Ridge:
    """Fit rows (n, p) to targets (n,).

    Args:
        rows: One row of features for each target.
        targets: What is to be predicted.
        penalties: Above 0, (p,): what the square of each weight of a standardised feature costs.
    """
    centre, scale = _units(rows)
    standard, level = (rows - centre) / scale, float(targets.mean())
    inverse = _penalised_inverse(standard, penalties)
    return Ridge(centre, scale, inverse, inverse @ standard.T @ (targets - level), level, len(rows))


def fit_best_ridge(rows: Floats, targets: Floats, shares: Floats, penalties: Sequence[float]) -> Ridge:
    """Fit rows (n, p) to targets (n,) with the one of some penalties whose leave-one-out errors are least.

    Args:
        rows: One row of features for each target.
        targets: What is to be predicted.
        shares: What each feature pays of the penalty, (p,).
        penalties: What is chosen from; of those with equal errors the largest.
    """
    centre, scale = _units(rows)
    standard = (rows - centre) / scale
    missed = {each: _leave_one_out(standard, targets, each * shares) for each in penalties}
    best = min(penalties, key=lambda each: (float(np.sum(missed[each] ** 2)), -each))
    return fit_ridge(rows, targets, best * shares)


def _leave_one_out(centred: Floats, targets: Floats, penalties: Floats) -> Floats:
    """Return by how much each target (n,) is missed by a fit of the others to centred rows (n, p), intercept included.

    From one fit by the identity e / (1 - h), where h is the diagonal of the hat matrix (Allen's PRESS, 1974), which
    itself, n by n, does not fit into memory for a long record.
    """
    spread = centred @ _penalised_inverse(centred, penalties)
    fitted = targets.mean() + spread @ (centred.T @ targets)
    diagonal = 1 / len(targets) + (spread * centred).sum(axis=1)
    result: Floats = (fitted - targets) / (1 - diagonal)
    return result


def _units(rows: Floats) -> tuple[Floats, Floats]:
    """Return the centre (p,) and the scale (p,) of rows (n, p)."""
    centre, spread = rows.mean(axis=0), rows.std(axis=0)
    return centre, np.where(spread > _LEAST_SPREAD * (1 + np.abs(centre)), spread, 1.0)


def _penalised_inverse(centred: Floats, penalties: Floats) -> Floats:
    """Return the inverse (p, p) of the Gram matrix of rows (n, p) plus the penalties (p,) on its diagonal."""
    factor = linalg.cho_factor(centred.T @ centred + np.diag(penalties))
    inverse: Floats = linalg.cho_solve(factor, np.eye(len(penalties)))
    return inverse

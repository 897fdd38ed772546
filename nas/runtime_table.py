"""How long a searched network will take on this device, from the times of its pieces: nothing whole is built or run.

Pieces are measured once per device and remembered. What a whole network takes beyond the sum of its pieces is learned
from networks that were measured. A prediction filters and orders; a runtime that is reported is always measured.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from baselines.correlation import rank_correlation
from nas.pieces import Piece, parts, prepare, work_of
from search_spaces.architecture import Architecture
from sr.device_table import DeviceTable, Report, cache_path, place, unheard
from sr.errors import InputError
from sr.latency import MEMORY_FORMATS
from sr.lr_size import LrSize, size_text

# With fewer whole networks than these a correction is one factor.
FEWEST_FITTED = 6
# Ridge on standardised features, as so many samples that say that the factor is the same for all.
RIDGE = 1.0
# Narrower widths that are tried before a wide piece that may be hopeless: each costs a few times the one before.
LADDER = (8, 16, 32)
NARROWEST, WIDTH_STEP = 8, 4


@dataclass(frozen=True)
class Sample:
    """A network that was measured; reference_ms: what the reference took in the same rounds, where it was timed.

    Raises InputError for a time that is not above 0.
    """

    architecture: Architecture
    runtime_ms: float
    reference_ms: float | None = None

    def __post_init__(self) -> None:
        for time in (self.runtime_ms, self.reference_ms):
            if time is not None and not (math.isfinite(time) and time > 0):
                raise InputError(f"a runtime is a number of milliseconds above 0, got {time} for {self}")


@dataclass(frozen=True)
class PredictionError:
    """How predictions of networks differ from what was measured, each network unseen by the fit that predicts it.

    median and p90: relative errors of so many networks. spearman: rank correlation, None where all are the same.
    """

    networks: int
    median: float
    p90: float
    spearman: float | None


@dataclass(frozen=True)
class Correction:
    """The logarithm of measured by predicted: `centre`, plus `weights` times the standardised features.

    low and high: what was seen in the samples; a correction never goes beyond.
    """

    centre: float
    low: float
    high: float
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]

    def factor(self, features: Sequence[float]) -> float:
        """Return what to multiply a sum of pieces with."""
        standardised = (np.array(features) - self.means) / self.scales
        return math.exp(float(np.clip(self.centre + standardised @ self.weights, self.low, self.high)))


@dataclass(frozen=True)
class Sums:
    """What the pieces of a network take together, in the memory format that is faster for it: all, blocks, joining."""

    total_ms: float
    blocks_ms: float
    aggregation_ms: float


@dataclass(frozen=True)
class RuntimeTable:
    """Predicts the runtime of architectures for one LR picture of lr_size (height, width) on the device of `figures`.

    hopeless_ms: a piece with a narrower width over this is not measured but extrapolated by its multi-adds.
    unseen: the error of the correction on networks that it was not fitted on; None where there is none to tell.
    """

    figures: DeviceTable
    lr_size: LrSize
    hopeless_ms: float = math.inf
    correction: Correction | None = None
    unseen: PredictionError | None = None

    def predict(self, architecture: Architecture) -> float:
        """Return the predicted median in milliseconds; pieces that are not known yet are measured."""
        sums = self.sums(architecture)
        if self.correction is None:
            return sums.total_ms
        return sums.total_ms * self.correction.factor(features(architecture, sums))

    def measure(self, architectures: Iterable[Architecture]) -> None:
        """Measure the pieces of these architectures that are not known yet, the narrow ones first."""
        found = {piece: None for architecture in architectures for piece in parts(architecture)}
        wanted = dict.fromkeys(piece for piece in found if not self.known(piece))
        if math.isfinite(self.hopeless_ms):
            wanted |= dict.fromkeys(piece.at(width) for piece in wanted for width in LADDER if width < piece.num_feat)
        for width in sorted({piece.num_feat for piece in wanted}):
            hopeful = [piece for piece in wanted if piece.num_feat == width and self.hopeless(piece) is None]
            self.figures.measure({
                self.key(piece, memory_format):
                    partial(prepare, piece, self.figures.device, self.figures.dtype, memory_format, self.lr_size)
                for piece in hopeful for memory_format in MEMORY_FORMATS
            })  # fmt: skip

    def knows(self, architecture: Architecture) -> bool:
        """Tell whether a prediction needs no measuring."""
        return all(self.known(piece) or self.hopeless(piece) is not None for piece in parts(architecture))

    def extrapolated(self, architecture: Architecture) -> tuple[str, ...]:
        """Return the names of those pieces of an architecture that are too slow to have been measured."""
        self.measure([architecture])
        return tuple(piece.name for piece in parts(architecture) if not self.known(piece))

    def corrected(self, samples: Sequence[Sample]) -> "RuntimeTable":
        """Return a table that has learned from measured networks, all anew; raises InputError where there are none.

        The factor is the median of theirs, or from FEWEST_FITTED samples on one that follows size, depth and kind of a
        network where that errs less on samples left out. Runtimes are brought to the speed of the median reference.
        """
        if not samples:
            raise InputError("a correction of predicted runtimes takes one measured network or more, got none")
        self.measure(sample.architecture for sample in samples)
        sums = [self.sums(sample.architecture) for sample in samples]
        rows = [features(sample.architecture, each) for sample, each in zip(samples, sums, strict=True)]
        times = at_one_speed(samples)
        ratios = [math.log(time / each.total_ms) for time, each in zip(times, sums, strict=True)]
        found = []
        # The simpler one first: of two that err the same it stays.
        for fit in (one_factor, fitted):
            predicted = []
            for left_out, each in enumerate(sums[: len(samples) if len(samples) > 1 else 0]):
                others = [index for index in range(len(samples)) if index != left_out]
                correction = fit([rows[index] for index in others], [ratios[index] for index in others])
                predicted.append(each.total_ms * correction.factor(rows[left_out]))
            found.append((compared(predicted, times) if predicted else None, fit))
        unseen, best = min(found, key=lambda each: each[0].median if each[0] else 0.0)
        return replace(self, correction=best(rows, ratios), unseen=unseen)

    def error(self) -> PredictionError | None:
        """Return the error of the corrected table, each sample predicted by a fit on the others; None before that."""
        return self.unseen

    def save(self) -> None:
        """Remember the pieces; raises InputError where their file cannot be written."""
        self.figures.save()

    def sums(self, architecture: Architecture) -> Sums:
        """Return the times of the pieces in the memory format in which they are together faster."""
        self.measure([architecture])
        found = []
        for memory_format in MEMORY_FORMATS:
            taken = dict.fromkeys(("head", "blocks", "aggregation", "upsampler"), 0.0)
            for piece, share in parts(architecture).items():
                taken[piece.part] += share * self.piece_ms(piece, memory_format)
            # A line through two measured counts may fall below nothing.
            taken["aggregation"] = max(0.0, taken["aggregation"])
            found.append(Sums(sum(taken.values()), taken["blocks"], taken["aggregation"]))
        return min(found, key=lambda sums: sums.total_ms)

    def piece_ms(self, piece: Piece, memory_format: str) -> float:
        """Return what timing a piece gave, or would give."""
        if self.known(piece):
            return self.figures.ms(self.key(piece, memory_format))
        narrower = self.hopeless(piece)
        assert narrower is not None
        return self.figures.ms(self.key(narrower, memory_format)) * work_of(piece) / work_of(narrower)

    def hopeless(self, piece: Piece) -> Piece | None:
        """Return the widest narrower piece that is already over hopeless_ms; None where the piece is to be measured."""
        for width in range(piece.num_feat - WIDTH_STEP, NARROWEST - 1, -WIDTH_STEP):
            narrower = piece.at(width)
            if self.known(narrower):
                fastest = min(self.figures.ms(self.key(narrower, memory_format)) for memory_format in MEMORY_FORMATS)
                if fastest > self.hopeless_ms * narrower.times:
                    return narrower
        return None

    def known(self, piece: Piece) -> bool:
        """Tell whether a piece was measured."""
        return all(self.figures.knows(self.key(piece, memory_format)) for memory_format in MEMORY_FORMATS)

    def key(self, piece: Piece, memory_format: str) -> str:
        """Return the name under which a piece is remembered."""
        return f"{piece.name} {piece.num_feat}ch {size_text(self.lr_size)} {memory_format}"


def open_table(
    device: torch.device,
    dtype: str,
    lr_size: LrSize,
    *,
    hopeless_ms: float = math.inf,
    path: Path | None = None,
    report: Report = unheard,
) -> RuntimeTable:
    """Return the table of a device, with what is remembered of it; path: by default in the user's cache folder."""
    path = path or cache_path("pieces", place(device, dtype))
    return RuntimeTable(DeviceTable("runtimes of pieces", device, dtype, path, report=report), lr_size, hopeless_ms)


def features(architecture: Architecture, sums: Sums) -> list[float]:
    """Return what tells how far a network's runtime lies from the sum of its pieces."""
    built = architecture.canonical
    return [
        math.log(sums.total_ms),
        math.log1p(len(built.blocks)),
        sums.blocks_ms / sums.total_ms,
        sums.aggregation_ms / sums.total_ms,
        # Whether there are large tensors at HR size.
        float(built.upsampler != "one_step"),
    ]


def one_factor(rows: Sequence[Sequence[float]], ratios: Sequence[float]) -> Correction:
    """Return the correction by the median of the ratios, as logarithms, whatever the features (n, p)."""
    none = (0.0,) * len(rows[0])
    return Correction(statistics.median(ratios), min(ratios), max(ratios), none, (1.0,) * len(rows[0]), none)


def fitted(rows: Sequence[Sequence[float]], ratios: Sequence[float]) -> Correction:
    """Fit a correction to features and logarithms of measured by predicted: a ridge, one factor where there are few."""
    if len(rows) < FEWEST_FITTED:
        return one_factor(rows, ratios)
    table, targets = np.array(rows), np.array(ratios)
    means, spread = table.mean(0), table.std(0)
    scales = np.where(spread > 0, spread, 1.0)
    centre = float(targets.mean())
    standardised = (table - means) / scales
    squares = standardised.T @ standardised + RIDGE * np.eye(table.shape[1])
    weights = np.linalg.solve(squares, standardised.T @ (targets - centre))
    return Correction(
        centre, min(ratios), max(ratios), tuple(means.tolist()), tuple(scales.tolist()), tuple(weights.tolist())
    )


def at_one_speed(samples: Sequence[Sample]) -> list[float]:
    """Return the runtimes as they were at the speed of the median reference; those without one stay as they are."""
    references = [sample.reference_ms for sample in samples if sample.reference_ms is not None]
    usual = statistics.median(references) if references else None
    return [
        sample.runtime_ms * (usual / sample.reference_ms if usual and sample.reference_ms else 1.0)
        for sample in samples
    ]


def compared(predicted: Sequence[float], measured: Sequence[float]) -> PredictionError:
    """Return how predictions differ from what was measured, one of each per network."""
    errors = [abs(guess / truth - 1) for guess, truth in zip(predicted, measured, strict=True)]
    median, p90 = (float(np.quantile(errors, share)) for share in (0.5, 0.9))
    return PredictionError(len(errors), median, p90, rank_correlation(predicted, measured))


def in_words(error: PredictionError | None) -> str:
    """Say how far predicted runtimes are to be believed."""
    if error is None:
        return "no predicted runtime was compared with a measured one yet"
    ranks = "" if error.spearman is None else f", Spearman {error.spearman:.3f}"
    return (
        f"predicted runtimes, on {error.networks} networks it did not see: median error {100 * error.median:.1f} %, "
        f"nine of ten within {100 * error.p90:.1f} %{ranks}"
    )

"""How long a searched network will take on this device, from a lookup table: nothing whole is built or run.

The entries of the table are measured once per device and remembered. What a whole network takes beyond the sum of its
entries is learned from networks that were measured. A prediction filters and orders; a runtime that is reported is
always measured.
"""

import math
import random
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from nas.predictors.latency_correction import Correction, Sums, correction_features, factor_by_features, one_factor
from nas.predictors.latency_entries import Entry, entries_of, prepare, work_of
from search_spaces.architecture import Architecture
from search_spaces.space import SearchSpace
from sr.errors import InputError
from sr.lr_size import LrSize, size_text
from sr.measure.engines.registry import ENGINES
from sr.measure.target import Target
from sr.measure.timing_cache import TimingCache, cache_path, place
from sr.progress import Report, no_report
from sr.rank_correlation import spearman

_SUBJECT = "latency entries"
# Narrower widths that are tried before a wide entry that may be too slow: each costs a few times the one before.
_WIDTHS_FIRST = (8, 16, 32)
_NARROWEST, _WIDTH_STEP = 8, 4
_Fit = Callable[[Sequence[Sequence[float]], Sequence[float]], Correction]

# Architectures whose entries are those of what samplers will propose.
_DRAWS = 200
# Entries are measured in so many portions, to see in between how the time goes.
_PORTION = 10


@dataclass(frozen=True)
class Sample:
    """A network that was measured.

    Attributes:
        architecture: Which.
        runtime_ms: Its median.
        reference_ms: What the reference took in the same rounds; None where it was not timed.

    Raises:
        InputError: For a time that is not above 0.
    """

    architecture: Architecture
    runtime_ms: float
    reference_ms: float | None = None

    def __post_init__(self) -> None:
        for ms in (self.runtime_ms, self.reference_ms):
            if ms is not None and not (math.isfinite(ms) and ms > 0):
                raise InputError(f"a runtime is a number of milliseconds above 0, got {ms} for {self}")


@dataclass(frozen=True)
class PredictionError:
    """How predictions of networks differ from what was measured, each network unseen by the fit that predicts it.

    Attributes:
        networks: How many.
        median: Of the relative errors.
        p90: Their 90th percentile.
        spearman: Spearman's rank correlation; None where all are the same.
    """

    networks: int
    median: float
    p90: float
    spearman: float | None


@dataclass(frozen=True)
class LatencyTable:
    """Predicts the runtime of architectures for one LR picture on one device.

    Attributes:
        cache: The milliseconds of the entries; it knows the device, the dtype and the engine.
        lr_size: Height and width of the LR picture.
        early_stop_ms: An entry that is slower than this at a narrower width is not measured, but extrapolated by its
            multi-adds.
        correction: What was learned from measured networks.
        unseen: The error of the correction on networks that it was not fitted on; None where there is none to state.
    """

    cache: TimingCache
    lr_size: LrSize
    early_stop_ms: float = math.inf
    correction: Correction | None = None
    unseen: PredictionError | None = None

    def predict(self, architecture: Architecture) -> float:
        """Return the predicted median in milliseconds; entries that are not known yet are measured."""
        sums = self._sums(architecture)
        if self.correction is None:
            return sums.total_ms
        return sums.total_ms * self.correction.factor(correction_features(architecture, sums))

    def measure(self, architectures: Iterable[Architecture]) -> None:
        """Measure the entries of these architectures that are not known yet, the narrow ones first."""
        found = {entry: None for architecture in architectures for entry in entries_of(architecture)}
        wanted = dict.fromkeys(entry for entry in found if not self._is_measured(entry))
        if math.isfinite(self.early_stop_ms):
            wanted |= dict.fromkeys(
                entry.at(width) for entry in wanted for width in _WIDTHS_FIRST if width < entry.num_feat
            )
        for width in sorted({entry.num_feat for entry in wanted}):
            at_width = [entry for entry in wanted if entry.num_feat == width and self._too_slow_at(entry) is None]
            self.cache.measure({
                self._key(entry, memory_format): partial(prepare, entry, self._target, memory_format)
                for entry in at_width for memory_format in self._memory_formats
            })  # fmt: skip

    def knows(self, architecture: Architecture) -> bool:
        """Return whether a prediction needs no measuring."""
        return all(
            self._is_measured(entry) or self._too_slow_at(entry) is not None for entry in entries_of(architecture)
        )

    def extrapolated(self, architecture: Architecture) -> tuple[str, ...]:
        """Return the names of those entries of an architecture that are too slow to have been measured."""
        self.measure([architecture])
        return tuple(entry.name for entry in entries_of(architecture) if not self._is_measured(entry))

    def corrected(self, samples: Sequence[Sample]) -> "LatencyTable":
        """Return a table that has learned from measured networks, all anew.

        The factor is the median of theirs, or from six samples on one that follows size, depth and kind
        of a network where that errs less on samples left out. Runtimes are brought to the speed of the median
        reference.

        Raises:
            InputError: Where there is no sample.
        """
        if not samples:
            raise InputError("a correction of predicted runtimes takes one measured network or more, got none")
        self.measure(sample.architecture for sample in samples)
        sums = [self._sums(sample.architecture) for sample in samples]
        rows = [correction_features(sample.architecture, each) for sample, each in zip(samples, sums, strict=True)]
        times = at_one_speed(samples)
        log_ratios = [math.log(taken / each.total_ms) for taken, each in zip(times, sums, strict=True)]
        if len(samples) == 1:
            return replace(self, correction=one_factor(rows, log_ratios), unseen=None)

        def error_of(fit: _Fit) -> PredictionError:
            factors = _factors_left_out(fit, rows, log_ratios)
            return prediction_error([each.total_ms * by for each, by in zip(sums, factors, strict=True)], times)

        # The simpler one first: of two that err the same it stays.
        unseen, best = min(
            ((error_of(fit), fit) for fit in (one_factor, factor_by_features)), key=lambda each: each[0].median
        )
        return replace(self, correction=best(rows, log_ratios), unseen=unseen)

    def error(self) -> PredictionError | None:
        """Return the error of the corrected table, each sample predicted by a fit on the others; None before that."""
        return self.unseen

    def save(self) -> None:
        """Remember the entries; raises InputError where their file cannot be written."""
        self.cache.save()

    @property
    def _target(self) -> Target:
        return Target(self.cache.device, self.lr_size, self.cache.dtype, self.cache.engine)

    @property
    def _memory_formats(self) -> tuple[str, ...]:
        return ENGINES[self.cache.engine].memory_formats

    def _sums(self, architecture: Architecture) -> Sums:
        """Return the times of the entries in the memory format in which they are together faster."""
        self.measure([architecture])
        found = []
        for memory_format in self._memory_formats:
            taken = dict.fromkeys(("head", "blocks", "aggregation", "upsampler"), 0.0)
            for entry, share in entries_of(architecture).items():
                taken[entry.part] += share * self._entry_ms(entry, memory_format)
            # A line through two measured counts may fall below nothing.
            taken["aggregation"] = max(0.0, taken["aggregation"])
            found.append(Sums(sum(taken.values()), taken["blocks"], taken["aggregation"]))
        return min(found, key=lambda sums: sums.total_ms)

    def _entry_ms(self, entry: Entry, memory_format: str) -> float:
        """Return what timing an entry gave, or would give."""
        if self._is_measured(entry):
            return self.cache.ms(self._key(entry, memory_format))
        narrower = self._too_slow_at(entry)
        assert narrower is not None
        return self.cache.ms(self._key(narrower, memory_format)) * work_of(entry) / work_of(narrower)

    def _too_slow_at(self, entry: Entry) -> Entry | None:
        """Return the widest narrower entry that is over early_stop_ms; None where the entry is to be measured."""
        for width in range(entry.num_feat - _WIDTH_STEP, _NARROWEST - 1, -_WIDTH_STEP):
            narrower = entry.at(width)
            if self._is_measured(narrower):
                fastest = min(self.cache.ms(self._key(narrower, each)) for each in self._memory_formats)
                if fastest > self.early_stop_ms * narrower.repeats:
                    return narrower
        return None

    def _is_measured(self, entry: Entry) -> bool:
        return all(self.cache.knows(self._key(entry, memory_format)) for memory_format in self._memory_formats)

    def _key(self, entry: Entry, memory_format: str) -> str:
        """Return the name under which an entry is remembered."""
        return f"{entry.name} {entry.num_feat}ch {size_text(self.lr_size)} {memory_format}"


def open_table(
    target: Target, *, early_stop_ms: float = math.inf, path: Path | None = None, report: Report = no_report
) -> LatencyTable:
    """Return the table of a device, with what is remembered of it.

    Args:
        target: The device, dtype and engine, and the size of the LR picture.
        early_stop_ms: See `LatencyTable`.
        path: Where the entries are remembered; by default in the user's cache folder.
        report: Gets a message where what is remembered is of other conditions, and where the device is busy.

    Raises:
        InputError: Where the file holds no such table.
    """
    path = path or cache_path("latency", place(target.device, target.dtype, engine=target.engine))
    cache = TimingCache(_SUBJECT, target.device, target.dtype, path, engine=target.engine, report=report)
    return LatencyTable(cache, target.lr_size, early_stop_ms)


def empty_table(target: Target) -> LatencyTable:
    """Return a table that knows nothing of its device and is kept nowhere: every network has to be measured."""
    cache = TimingCache(_SUBJECT, target.device, target.dtype, None, engine=target.engine)
    return LatencyTable(cache, target.lr_size)


def measure_entries(table: LatencyTable, space: SearchSpace, seconds: float, *, draws: int = _DRAWS) -> bool:
    """Measure the entries that a search is likely to meet, the seeds' first; what is known already takes no time.

    Args:
        table: Whose entries.
        space: What is searched.
        seconds: After which no more are measured.
        draws: How many architectures are drawn to see which entries there are.

    Returns:
        Whether all of them are known now.
    """
    began = time.monotonic()
    rng = random.Random(0)  # noqa: S311 - a draw, no secret
    wanted = [*space.seeds, *(space.decode(space.sample(rng)) for _ in range(draws))]
    for first in range(0, len(wanted), _PORTION):
        if time.monotonic() - began > seconds:
            break
        table.measure(wanted[first : first + _PORTION])
    table.save()
    return all(table.knows(architecture) for architecture in wanted)


def at_one_speed(samples: Sequence[Sample]) -> list[float]:
    """Return the runtimes as they were at the speed of the median reference; those without one stay as they are."""
    references = [sample.reference_ms for sample in samples if sample.reference_ms is not None]
    usual = statistics.median(references) if references else None
    return [
        sample.runtime_ms * (usual / sample.reference_ms if usual and sample.reference_ms else 1.0)
        for sample in samples
    ]


def prediction_error(predicted: Sequence[float], measured: Sequence[float]) -> PredictionError:
    """Return how predictions differ from what was measured, one of each per network."""
    errors = [abs(guess / truth - 1) for guess, truth in zip(predicted, measured, strict=True)]
    median, p90 = (float(np.quantile(errors, share)) for share in (0.5, 0.9))
    return PredictionError(len(errors), median, p90, spearman(predicted, measured))


def describe(error: PredictionError | None) -> str:
    """Say in one sentence how far predicted runtimes were right."""
    if error is None:
        return "No predicted runtime was compared with a measured one."
    ranks = "" if error.spearman is None else f" (Spearman's rank correlation {error.spearman:.3f})"
    return (
        f"Predicted runtimes were off by {100 * error.median:.1f} % in the median and by at most "
        f"{100 * error.p90:.1f} % in nine of ten cases, on {error.networks} networks that the prediction had not "
        f"seen{ranks}."
    )


def _factors_left_out(fit: _Fit, rows: Sequence[Sequence[float]], log_ratios: Sequence[float]) -> list[float]:
    """Return the factor of each of two networks or more from a fit on the others."""
    factors = []
    for left_out, row in enumerate(rows):
        others = [index for index in range(len(rows)) if index != left_out]
        correction = fit([rows[index] for index in others], [log_ratios[index] for index in others])
        factors.append(correction.factor(row))
    return factors

"""Table 2, measured: which count ranks networks as their runtime does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from baselines.published import ALSO_CORRELATED, Published, spearman
from baselines.rows import Row
from baselines.runtimes import Measured
from sr.measurement import Measurement

# Metrics and the column of Table 1 that Table 2 correlates, where it does.
METRICS: dict[str, str | None] = {
    "params": "params_m",
    "FLOPs": "flops_g",
    "activations": "activations_m",
    "memory": "memory_m",
    "multi-adds": None,
    "convs": None,
    "runtime in Table 1": None,
}


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation of a metric with the runtime, -1 to 1; None where there is nothing to correlate.

    published: Table 2's, over 21 rows of Table 1. challenge: measured here, over those of the 21 that were measured.
    everything: over all that were measured.
    """

    metric: str
    published: float | None
    challenge: float | None
    everything: float | None


def correlations(rows: Sequence[Row], measured: Mapping[str, Measured]) -> list[Correlation]:
    """Correlate every metric with the runtime measured here."""
    pairs = with_runtime(rows, measured)
    challenge = [pair for pair in pairs if in_table_2(pair[0].published)]
    return [
        Correlation(
            metric,
            spearman(column) if column else None,
            over(metric, challenge),
            over(metric, pairs),
        )
        for metric, column in METRICS.items()
    ]


def with_runtime(rows: Sequence[Row], measured: Mapping[str, Measured]) -> list[tuple[Row, Measurement]]:
    """Return the rows that have a steady runtime, each with it."""
    found = [(row, measured.get(row.name or "", Measured()).measurement) for row in rows]
    return [(row, measurement) for row, measurement in found if measurement is not None]


def in_table_2(published: Published | None) -> bool:
    """Tell whether Table 2 correlates this row."""
    return published is not None and (published.ranked or published.system in ALSO_CORRELATED)


def over(metric: str, pairs: Sequence[tuple[Row, Measurement]]) -> float | None:
    """Return the rank correlation of a metric with the runtime over the pairs that have the metric."""
    values = [(value(metric, *pair), pair[1].runtime.median_ms) for pair in pairs]
    there = [(one, other) for one, other in values if one is not None]
    return rank_correlation([one for one, _ in there], [other for _, other in there])


def value(metric: str, row: Row, measurement: Measurement) -> float | None:
    """Return one metric of a network as it was measured; None where Table 1 has no verified runtime to go by."""
    if metric == "runtime in Table 1":
        verified = row.published is not None and row.published.status("runtime_s") == "published"
        return row.published.runtime_s if row.published and verified else None
    complexity = measurement.complexity
    return {
        "params": complexity.params,
        "FLOPs": complexity.challenge_flops,
        "activations": complexity.activations,
        "memory": measurement.memory,
        "multi-adds": complexity.multi_adds,
        "convs": complexity.convs,
    }[metric]


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation, tied values sharing the mean of their ranks; None where one is constant."""
    if len(set(first)) < 2 or len(set(second)) < 2:
        return None
    ranks = pd.DataFrame({"first": first, "second": second}).rank()
    return float(ranks["first"].corr(ranks["second"]))

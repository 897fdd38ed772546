"""Table 2, measured: which count ranks networks as their runtime does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from baselines.challenge_table.published import rank_correlation
from baselines.challenge_table.record import Measured
from baselines.challenge_table.rows import Row
from sr.measure.measurement import Measurement
from sr.rank_correlation import spearman

# Metrics and the column of Table 1 that Table 2 correlates, where it does.
_METRICS: dict[str, str | None] = {
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

    Attributes:
        metric: What is correlated.
        published: Table 2's, over 21 rows of Table 1.
        challenge: Measured here, over those of the 21 that were measured.
        everything: Over all that were measured.
    """

    metric: str
    published: float | None
    challenge: float | None
    everything: float | None


def correlations(rows: Sequence[Row], measured: Mapping[str, Measured]) -> list[Correlation]:
    """Correlate every metric with the runtime measured here."""
    pairs = with_runtime(rows, measured)
    challenge = [pair for pair in pairs if in_table_2(pair[0])]
    return [
        Correlation(
            metric,
            rank_correlation(column) if column else None,
            _over(metric, challenge),
            _over(metric, pairs),
        )
        for metric, column in _METRICS.items()
    ]


def with_runtime(rows: Sequence[Row], measured: Mapping[str, Measured]) -> list[tuple[Row, Measurement]]:
    """Return the rows that have a steady runtime, each with it."""
    found = [(row, measured.get(row.name or "", Measured()).measurement) for row in rows]
    return [(row, measurement) for row, measurement in found if measurement is not None]


def in_table_2(row: Row) -> bool:
    """Return whether Table 2 correlates a row."""
    return row.published is not None and row.published.in_table_2


def _over(metric: str, pairs: Sequence[tuple[Row, Measurement]]) -> float | None:
    """Return the rank correlation of a metric with the runtime over the pairs that have the metric."""
    values = [(_value(metric, *pair), pair[1].runtime.median_ms) for pair in pairs]
    there = [(one, other) for one, other in values if one is not None]
    return spearman([one for one, _ in there], [other for _, other in there])


def _value(metric: str, row: Row, measurement: Measurement) -> float | None:
    """Return one metric of a network as it was measured; None where Table 1 has no verified runtime to go by."""
    if metric == "runtime in Table 1":
        verified = row.published is not None and row.published.status("runtime_s") == "published"
        return row.published.runtime_s if row.published and verified else None
    return metrics(measurement)[metric]


def metrics(measurement: Measurement) -> dict[str, float]:
    """Return what the challenge's report correlates with the runtime, and more, by its name there."""
    complexity = measurement.complexity
    return {
        "params": complexity.params,
        "FLOPs": complexity.challenge_flops,
        "activations": complexity.activations,
        "memory": measurement.memory,
        "multi-adds": complexity.multi_adds,
        "convs": complexity.convs,
    }

"""The latency table against its goals: how well it predicts networks that its correction was not fitted on.

    python benchmarks/runtime_prediction.py --json runtime_prediction.json

Draws different networks of the default space around a budget, as a search meets them, measures each beside the
reference, fits the correction on some of them and predicts the others; counts alone, each with a fitted scale, stand
beside it. It exits with 0 whether the goals are met or not: this is a measurement, not a test.
"""

import math
import random
import shlex
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nas.predictors.latency_table import LatencyTable, Sample, at_one_speed, describe, open_table, prediction_error
from search_spaces import SPACES
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import REFERENCE_NETWORK
from search_spaces.network import build
from sr.checkpoint import provenance
from sr.command import DONE, Parser, run
from sr.errors import InputError
from sr.files import write_json
from sr.lr_size import parse_size
from sr.measure.latency import Protocol
from sr.measure.measurement import Measurement, measure
from sr.measure.target import Target
from sr.rank_correlation import kendall_tau
from sr.terminal import Terminal, say

# Of the budget, by the uncorrected table: what a search looks at.
LEAST, MOST = 0.1, 2.0
DRAWN_AT_ONCE, MOST_DRAWS = 20, 20_000
GOALS = {"spearman": 0.95, "median_error": 0.08}
COUNTS = ("multi_adds", "activations", "params")


@dataclass(frozen=True)
class Config:
    """What is compared; fitted: networks that the correction is fitted on, predicted: those that it is judged by."""

    target: Target
    budget_ms: float
    fitted: int
    predicted: int
    seed: int
    table: Path | None
    json: Path | None
    command: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.budget_ms) and self.budget_ms > 0):
            raise InputError(f"--budget-ms is above 0, got {self.budget_ms:g}")
        if self.predicted < 2 or self.fitted < 2:
            raise InputError(f"--networks and --fit are 2 or more, got {self.predicted} and {self.fitted}")


@dataclass(frozen=True)
class Row:
    """One network as it was predicted by the uncorrected table and measured."""

    architecture: Architecture
    uncorrected_ms: float
    measurement: Measurement


def main(argv: list[str] | None = None) -> int:
    """Draw, measure, fit, predict, and print what came out."""
    config = parse(argv)
    table = open_table(config.target, early_stop_ms=MOST * config.budget_ms, path=config.table, report=Terminal())
    drawn = population(table, config)
    table.save()
    rows = measured(drawn, table, config.target)
    corrected, found = judged(table, rows, config.fitted)
    say(f"fitted on {config.fitted}. {describe(corrected.error())}")
    for name, each in found.items():
        say(f"{name:18} {line(each)}")
    goals = [goal("Spearman", found["table"]["spearman"] or 0.0, GOALS["spearman"], above=True),
             goal("median error", found["table"]["median_error"], GOALS["median_error"], above=False)]  # fmt: skip
    for each in goals:
        say(f"{'met' if each['met'] else 'missed'}: {each['goal']}: {each['measured']:.3f}")
    if config.json is not None:
        write_json(config.json, results(config, rows, corrected, found) | {"goals": goals})
    return DONE


def parse(argv: list[str] | None) -> Config:
    """Read the command line; raises InputError where a value breaks its constraint."""
    parser = Parser(
        prog="python benchmarks/runtime_prediction.py",
        description="Predict the runtimes of networks from a lookup table and compare with measured ones.",
        example="python benchmarks/runtime_prediction.py --budget-ms 40 --json runtime_prediction.json",
    )
    parser.add_argument("--budget-ms", type=float, default=40.0, metavar="MS", help="default 40")
    parser.add_argument("--networks", type=int, default=40, metavar="N", help="to predict (default 40)")
    parser.add_argument("--fit", type=int, default=20, metavar="N", help="to fit the correction on (default 20)")
    parser.add_argument("--lr-size", default="256x256", metavar="WxH", help="LR size (default 256x256)")
    parser.add_argument("--table", type=Path, metavar="FILE", help="lookup table (default: in the user's cache)")
    parser.add_shared("seed", "device", "json")
    args = parser.parse_args(argv)
    command = shlex.join(["python", "benchmarks/runtime_prediction.py", *(argv if argv is not None else sys.argv[1:])])
    return Config(
        target=Target.of(args.device, parse_size(args.lr_size)), budget_ms=args.budget_ms, fitted=args.fit,
        predicted=args.networks, seed=args.seed, table=args.table, json=args.json, command=command,
    )  # fmt: skip


def population(table: LatencyTable, config: Config) -> dict[Architecture, float]:
    """Return different architectures of the default space around the budget, with what the uncorrected table says."""
    space, rng = SPACES["msrresnet"], random.Random(config.seed)  # noqa: S311 - it draws networks
    wanted, drawn = config.predicted + config.fitted, dict[str, tuple[Architecture, float]]()
    for _ in range(MOST_DRAWS // DRAWN_AT_ONCE):
        pool = [space.decode(space.sample(rng)).canonical for _ in range(DRAWN_AT_ONCE)]
        table.measure(pool)
        for architecture in pool:
            ms = table.predict(architecture)
            if LEAST <= ms / config.budget_ms <= MOST and len(drawn) < wanted:
                drawn[architecture.key] = (architecture, ms)
        say(f"{len(drawn)} of {wanted} networks between {LEAST:g} and {MOST:g} times the budget")
        if len(drawn) == wanted:
            return dict(drawn.values())
    raise InputError(f"of {MOST_DRAWS} networks {len(drawn)} lie around {config.budget_ms:g} ms; choose another budget")


def measured(drawn: Mapping[Architecture, float], table: LatencyTable, target: Target) -> list[Row]:
    """Measure each network beside the reference."""
    rows = list[Row]()
    for architecture, uncorrected_ms in drawn.items():
        networks = {"candidate": build(architecture), "reference": build(REFERENCE_NETWORK)}
        measurement = measure(networks, target, Protocol(seconds=0.5), reference="reference")["candidate"]
        rows.append(Row(architecture, uncorrected_ms, measurement))
        unreliable = "" if measurement.runtime.reliable else " (unreliable)"
        say(f"{len(rows):3}/{len(drawn)} {uncorrected_ms:7.1f} ms by the uncorrected table, "
            f"{measurement.runtime.median_ms:7.1f} measured{unreliable}: {architecture.summary}")  # fmt: skip
    too_slow = sorted({name for row in rows for name in table.extrapolated(row.architecture)})
    say(f"extrapolated, not measured: {', '.join(too_slow) or 'nothing'}")
    return rows


def judged(table: LatencyTable, rows: Sequence[Row], fit: int) -> tuple[LatencyTable, dict[str, dict[str, Any]]]:
    """Fit on the first rows and predict the others; return the table and the figures of each way to predict."""
    times = at_one_speed([
        Sample(row.architecture, row.measurement.runtime.median_ms, row.measurement.reference_ms) for row in rows
    ])  # fmt: skip
    samples = [Sample(row.architecture, time) for row, time in zip(rows, times, strict=True)]
    corrected = table.corrected(samples[:fit])
    guesses = {
        "table": [corrected.predict(row.architecture) for row in rows],
        "uncorrected table": scaled([row.uncorrected_ms for row in rows], times, fit),
        **{name: scaled([getattr(row.measurement.complexity, name) for row in rows], times, fit) for name in COUNTS},
    }
    return corrected, {name: figures(guess[fit:], times[fit:]) for name, guess in guesses.items()}


def scaled(values: Sequence[float], times: Sequence[float], fit: int) -> list[float]:
    """Return values times the one scale that fits the first of them best."""
    scale = statistics.median(time / value for time, value in zip(times[:fit], values[:fit], strict=True))
    return [scale * value for value in values]


def figures(predicted: Sequence[float], times: Sequence[float]) -> dict[str, Any]:
    """Return how one way to predict did on the networks that it was not fitted on."""
    error = prediction_error(predicted, times)
    return {
        "networks": error.networks,
        "spearman": error.spearman,
        "kendall": kendall_tau(predicted, times),
        "median_error": error.median,
        "p90_error": error.p90,
    }


def line(found: Mapping[str, Any]) -> str:
    """Return the figures of one way to predict as text."""
    ranks = [f"{name} {found[key]:.3f}" for name, key in (("Spearman", "spearman"), ("Kendall", "kendall"))
             if found[key] is not None]  # fmt: skip
    return ", ".join([*ranks, f"error: median {found['median_error']:.1%}, p90 {found['p90_error']:.1%}"])


def goal(name: str, value: float, limit: float, *, above: bool) -> dict[str, Any]:
    """Return one goal with what was measured."""
    met = value >= limit if above else value <= limit
    return {"goal": f"{name} {'at least' if above else 'at most'} {limit:g}", "measured": value, "met": met}


def results(
    config: Config, rows: Sequence[Row], corrected: LatencyTable, found: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the record."""
    place = config.target.conditions
    return {
        **found["table"], "beside": found, "device": place.device, "threads": place.threads,
        "versions": place.versions, "date": provenance()["date"], "command": config.command,
        "budget_ms": config.budget_ms, "fitted": config.fitted, "predicted": config.predicted, "seed": config.seed,
        "unreliable": sum(not row.measurement.runtime.reliable for row in rows), "conditions": asdict(place),
        "rows": [as_json(row, corrected, unseen=number >= config.fitted) for number, row in enumerate(rows)],
    }  # fmt: skip


def as_json(row: Row, corrected: LatencyTable, *, unseen: bool) -> dict[str, Any]:
    """Return one row of the record."""
    return {
        "architecture": row.architecture.to_json(),
        "unseen": unseen,
        "predicted_ms": corrected.predict(row.architecture),
        "uncorrected_ms": row.uncorrected_ms,
        "reference_ms": row.measurement.reference_ms,
        "extrapolated": list(corrected.extrapolated(row.architecture)),
        **asdict(row.measurement.runtime),
        **{name: getattr(row.measurement.complexity, name) for name in COUNTS},
    }


if __name__ == "__main__":
    sys.exit(run(main))

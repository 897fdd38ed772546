"""The latency model against its goals: how well it predicts networks that it was not fitted on.

    python benchmarks/runtime_prediction.py --engine onnxruntime --json runtime_prediction.json

Draws different networks of the default space up to three times a budget, measures each beside the reference, fits the
model on the first of them and predicts the others; counts alone, each with a fitted scale, stand beside it, and the
networks with tensors at HR size are also judged apart. It exits with 0 whether the goals are met or not: this is a
measurement, not a test.
"""

import math
import random
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from machine_paths import shown_command

from nas.predictors.latency import LatencyPredictor, Sample, at_one_speed, describe, prediction_error
from search_spaces import SPACES
from search_spaces.architecture import Architecture
from search_spaces.fast_counts import counts
from search_spaces.msrresnet import REFERENCE_NETWORK
from search_spaces.network import build
from sr.checkpoint import provenance
from sr.command import DONE, Parser, run
from sr.constraints import AUTO, ENGINE_NAMES
from sr.errors import InputError
from sr.files import write_json
from sr.lr_size import parse_size
from sr.measure.engine_choice import with_engine
from sr.measure.latency import Protocol
from sr.measure.measurement import Measurement, measure
from sr.measure.target import Target
from sr.rank_correlation import kendall_tau
from sr.terminal import Terminal, say

# Times the budget: what a search may look at.
MOST = 3.0
FITS = (10, 20)
GOALS = {"spearman": 0.95, "median_error": 0.10}
COUNTS = ("multi_adds", "activations", "params")
# Multiply-adds of a network of the budget, as a first guess that measuring corrects: giga per millisecond.
_FIRST_GUESS = 0.1


@dataclass(frozen=True)
class Config:
    """What is compared; predicted: networks that the model is judged by, after as many as FITS says."""

    target: Target
    budget_ms: float
    predicted: int
    seed: int
    json: Path | None
    command: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.budget_ms) and self.budget_ms > 0):
            raise InputError(f"--budget-ms is above 0, got {self.budget_ms:g}")
        if self.predicted < 2:
            raise InputError(f"--networks is 2 or more, got {self.predicted}")


@dataclass(frozen=True)
class Row:
    """One network as it was measured."""

    architecture: Architecture
    measurement: Measurement

    @property
    def at_hr_size(self) -> bool:
        """Whether it has tensors at HR size besides its output."""
        return self.architecture.upsampler != "one_step"


def main(argv: list[str] | None = None) -> int:
    """Draw, measure, fit, predict, and print what came out."""
    config = parse(argv)
    rows = measured(config)
    found = {str(fit): judged(rows, fit, config) for fit in FITS}
    for fit, ways in found.items():
        say(f"after {fit} measured networks")
        for name, each in ways.items():
            say(f"  {name:34} {line(each)}")
    first = found[str(FITS[0])]["model"]
    goals = [goal("Spearman", first["spearman"] or 0.0, GOALS["spearman"], above=True),
             goal("median error", first["median_error"], GOALS["median_error"], above=False)]  # fmt: skip
    for each in goals:
        say(f"{'met' if each['met'] else 'missed'}: {each['goal']}: {each['measured']:.3f}")
    if config.json is not None:
        write_json(config.json, results(config, rows, found) | {"goals": goals})
    return DONE


def parse(argv: list[str] | None) -> Config:
    """Read the command line; raises InputError where a value breaks its constraint."""
    parser = Parser(
        prog="python benchmarks/runtime_prediction.py",
        description="Predict the runtimes of networks from a few measured ones and compare with measured ones.",
        example="python benchmarks/runtime_prediction.py --budget-ms 40 --json runtime_prediction.json",
    )
    parser.add_argument("--budget-ms", type=float, default=40.0, metavar="MS", help="default 40")
    parser.add_argument("--networks", type=int, default=40, metavar="N", help="to predict (default 40)")
    parser.add_argument("--lr-size", default="256x256", metavar="WxH", help="LR size (default 256x256)")
    parser.add_argument("--engine", choices=(AUTO, *ENGINE_NAMES), default=AUTO, help="default auto")
    parser.add_shared("seed", "device", "json")
    args = parser.parse_args(argv)
    command = shown_command("runtime_prediction.py", argv)
    target = with_engine(Target.of(args.device, parse_size(args.lr_size)), args.engine, report=Terminal())
    return Config(target, args.budget_ms, args.networks, args.seed, args.json, command)


def measured(config: Config) -> list[Row]:
    """Return different networks of the default space up to MOST times the budget, each measured beside the reference.

    What is drawn has at most so many multiply-adds that the rate seen so far takes that long; what took longer all the
    same is left out.
    """
    space, rng = SPACES["msrresnet"], random.Random(config.seed)  # noqa: S311 - it draws networks
    rows, seen, rate = list[Row](), set[str](), _FIRST_GUESS
    while len(rows) < config.predicted + max(FITS):
        architecture = space.decode(space.sample(rng)).canonical
        counted = counts(architecture, config.target.lr_size).multi_adds / 1e9
        if architecture.key in seen or counted > rate * MOST * config.budget_ms:
            continue
        seen.add(architecture.key)
        networks = {"candidate": build(architecture), "reference": build(REFERENCE_NETWORK)}
        protocol = Protocol(seconds=0.5, early_stop_ms=1.2 * MOST * config.budget_ms)
        measurement = measure(networks, config.target, protocol, reference="reference")["candidate"]
        runtime = measurement.runtime
        if runtime.median_ms > MOST * config.budget_ms:
            continue
        rows.append(Row(architecture, measurement))
        unreliable = "" if runtime.reliable else " (unreliable)"
        say(f"{len(rows):3} {runtime.median_ms:7.1f} ms{unreliable}: {architecture.summary}")
    return rows


def judged(rows: Sequence[Row], fit: int, config: Config) -> dict[str, dict[str, Any]]:
    """Fit on the first rows and predict the last; return the figures of each way to predict."""
    times = at_one_speed([
        Sample(row.architecture, row.measurement.runtime.median_ms, row.measurement.reference_ms) for row in rows
    ])  # fmt: skip
    samples = [Sample(row.architecture, time) for row, time in zip(rows, times, strict=True)]
    model = LatencyPredictor(config.target.lr_size).learned(samples[:fit])
    say(f"fitted on {fit}: {describe(model.unseen)}")
    unseen = list(zip(rows, times, strict=True))[-config.predicted :]
    guesses = {
        "model": [model.predict(row.architecture) for row, _ in unseen],
        **{name: scaled([getattr(row.measurement.complexity, name) for row in rows], times, fit)[-config.predicted :]
           for name in COUNTS},
    }  # fmt: skip
    found = {name: figures(guess, [time for _, time in unseen]) for name, guess in guesses.items()}
    for apart in (False, True):
        chosen = [(guess, time) for guess, (row, time) in zip(guesses["model"], unseen, strict=True)
                  if row.at_hr_size is apart]  # fmt: skip
        if len(chosen) > 1:
            name = "model, tensors at HR size" if apart else "model, all at LR size"
            found[name] = figures([guess for guess, _ in chosen], [time for _, time in chosen])
    return found


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
    errors = f"error: median {found['median_error']:.1%}, p90 {found['p90_error']:.1%}"
    return ", ".join([f"{found['networks']} networks", *ranks, errors])


def goal(name: str, value: float, limit: float, *, above: bool) -> dict[str, Any]:
    """Return one goal with what was measured."""
    met = value >= limit if above else value <= limit
    return {"goal": f"{name} {'at least' if above else 'at most'} {limit:g}", "measured": value, "met": met}


def results(config: Config, rows: Sequence[Row], found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record."""
    place = config.target.conditions
    return {
        "by_measured_networks": found, "device": place.device, "engine": place.engine, "threads": place.threads,
        "versions": place.versions, "date": provenance()["date"], "command": config.command,
        "budget_ms": config.budget_ms, "predicted": config.predicted, "seed": config.seed,
        "unreliable": sum(not row.measurement.runtime.reliable for row in rows), "conditions": asdict(place),
        "rows": [
            {"architecture": row.architecture.to_json(), "reference_ms": row.measurement.reference_ms,
             **asdict(row.measurement.runtime),
             **{name: getattr(row.measurement.complexity, name) for name in COUNTS}}
            for row in rows
        ],
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(run(main))

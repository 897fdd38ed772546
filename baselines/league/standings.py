"""What a league came to: each network's runtime, and its quality over seeds at each length of training."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

from baselines.challenge_table.correlation import metrics
from baselines.league.entries import Kind
from baselines.league.names import short_name
from baselines.league.record import Result
from sr.checkpoint import Description
from sr.measure.calm_speed import CalmSpeed
from sr.measure.measurement import Measurement, of_json
from sr.measure.quality import Quality
from sr.rank_correlation import spearman
from sr.scale import DEFAULT_SCALE

# What is correlated with the runtime.
METRICS = ("params", "FLOPs", "activations", "memory", "multi-adds")
# The 90th percentile of one measurement against that of another: who was within the budget when it was looked for still
# is, where this is all that it exceeds it by.
_NOISE = 1.05
NOT_SLOWED = "1.00"


@dataclass(frozen=True)
class Spread:
    """The mean over seeds, the standard deviation (0 for one seed), and how many seeds there are."""

    mean: float
    deviation: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return that of some values, at least one."""
        return cls(statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0, len(values))


@dataclass(frozen=True)
class Standing:
    """One network.

    Attributes:
        title: Its name.
        kind: Where it comes from.
        measurement: Taken beside all others.
        results: Of all its trainings.
        description: What it is, so that others can build it; None where that was not kept.
    """

    title: str
    kind: Kind
    measurement: Measurement
    results: tuple[Result, ...]
    description: Description | None = None

    @property
    def name(self) -> str:
        """Its title where there is little room."""
        return short_name(self.title)

    def of(self, steps: int) -> list[Result]:
        """Return the results of one length that did not fail."""
        return [each for each in self.results if each.steps == steps and not each.failure]

    def spread(self, steps: int, val: str, of: Callable[[Quality], float]) -> Spread | None:
        """Return the mean and the spread over seeds of one figure on one set of pictures, None where none has it."""
        values = [of(each.quality[val]) for each in self.of(steps) if val in each.quality]
        return Spread.of(values) if values else None

    def to_json(self) -> dict[str, Any]:
        """Return JSON values from which `from_json` makes an equal one."""
        return {
            "title": self.title,
            "kind": self.kind,
            "network": None if self.description is None else asdict(self.description),
            "measurement": self.measurement.to_json(),
            "results": [asdict(result) for result in self.results],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Standing":
        """Make the standing that `to_json` described; raises KeyError or TypeError for anything else."""
        if values["kind"] not in get_args(Kind):
            raise TypeError(f"a network is {', '.join(get_args(Kind))}, got {values['kind']!r}")
        measurement = Measurement.from_json(values["measurement"])
        results = tuple(Result.from_json(each) for each in values["results"])
        network = values.get("network")
        description = None if network is None else of_json(Description(**network))
        return of_json(cls(values["title"], values["kind"], measurement, results, description))


@dataclass(frozen=True)
class Standings:
    """All networks.

    Attributes:
        budget_ms: What they were to keep to.
        val: The names of the validation pictures.
        bicubic: What plain interpolation comes to on each.
        standings: In the order in which they were asked for.
        scale: How many times all of them enlarge.
        calm_ms: What the reference network takes when nothing slows the device; None where that is not known.
    """

    budget_ms: float
    val: tuple[str, ...]
    bicubic: Mapping[str, Quality]
    standings: tuple[Standing, ...]
    scale: int = DEFAULT_SCALE
    calm_ms: float | None = None

    @property
    def lengths(self) -> list[int]:
        """The numbers of steps that networks were trained for, ascending."""
        return sorted({result.steps for each in self.standings for result in each.results})

    @property
    def main_length(self) -> int:
        """The number of steps that most networks were trained for, the greatest of equals; 0 where none was trained."""
        return max(
            self.lengths, key=lambda steps: (sum(bool(each.of(steps)) for each in self.standings), steps), default=0
        )

    def within(self, standing: Standing) -> bool:
        """Return whether a network keeps to the budget at calm speed, but for the noise of its measurement."""
        return standing.measurement.runtime.p90_ms <= _NOISE * self.budget_ms * self.slowdown(standing)

    def slowdown(self, standing: Standing) -> float:
        """Return by what factor the device was slower than when calm while a network was measured, at least 1."""
        return 1.0 if self.calm_ms is None else CalmSpeed(self.calm_ms).slowdown(standing.measurement)

    def drawn_budget(self) -> tuple[float, str]:
        """Return where the budget lies beside runtimes as they were taken, in milliseconds, and what it is called."""
        said = f"budget {self.budget_ms:g} ms"
        if self.said_slowdown == NOT_SLOWED:
            return self.budget_ms, said
        return self.budget_ms * float(self.said_slowdown), f"{said} at calm speed"

    @property
    def said_slowdown(self) -> str:
        """By what factor the device was slower than when calm at the most, as it is said."""
        return f"{max(map(self.slowdown, self.standings)):.2f}"

    def ranked(self, steps: int) -> list[Standing]:
        """Return the networks that were trained for so many steps, the best PSNR on the last pictures first."""
        found = [(each.spread(steps, self.val[-1], psnr), each) for each in self.standings]
        there = [(spread.mean, each) for spread, each in found if spread is not None]
        return [each for _, each in sorted(there, key=lambda pair: -pair[0])]

    def correlations(self) -> dict[str, float | None]:
        """Return by metric Spearman's rank correlation with the runtime over all networks; None where there is none."""
        measured = [each.measurement for each in self.standings]
        runtimes = [each.runtime.median_ms for each in measured]
        return {name: spearman([metrics(each)[name] for each in measured], runtimes) for name in METRICS}

    def to_json(self) -> dict[str, Any]:
        """Return all figures as JSON values from which `from_json` makes equal standings."""
        return {
            "budget_ms": self.budget_ms,
            **({} if self.scale == DEFAULT_SCALE else {"scale": self.scale}),
            **({} if self.calm_ms is None else {"calm_ms": self.calm_ms}),
            "val": list(self.val),
            "bicubic": {name: asdict(quality) for name, quality in self.bicubic.items()},
            "correlations": self.correlations(),
            "networks": [{**each.to_json(), "within_budget": self.within(each)} for each in self.standings],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Standings":
        """Make the standings that `to_json` described; what follows from the rest is worked out anew.

        Raises:
            KeyError: Where a field is missing.
            TypeError: Where one is something else.
        """
        bicubic = {name: of_json(Quality(**each)) for name, each in values["bicubic"].items()}
        networks = tuple(Standing.from_json(each) for each in values["networks"])
        scale = values.get("scale", DEFAULT_SCALE)
        calm_ms = values.get("calm_ms")
        return of_json(cls(values["budget_ms"], tuple(values["val"]), bicubic, networks, scale, calm_ms))


def psnr(quality: Quality) -> float:
    """Return the PSNR over RGB."""
    return quality.psnr


def psnr_y(quality: Quality) -> float:
    """Return the PSNR over Y."""
    return quality.psnr_y


def similarity(quality: Quality) -> float:
    """Return the SSIM, which the league always asks for."""
    assert quality.ssim is not None
    return quality.ssim

"""What became of one proposed architecture."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nas.learning_curve import expected_psnr
from nas.successive_halving import Rung
from search_spaces.architecture import Architecture
from sr.measure.measurement import Measurement
from sr.pareto import front

# Times the steps of the last rung: about what the chosen network's training comes to in a search of some minutes.
_LONG = 16

State = Literal["measured", "put off", "trained", "infeasible", "failed"]


@dataclass(frozen=True)
class Trial:
    """A candidate.

    Attributes:
        number: In its study.
        architecture: What it is.
        state: `measured` (within the budget, quality not known yet), `put off` (measured while the device was busy,
            to be measured again), `trained` (measurement with the quality of the first rung, the same for all
            candidates), `infeasible` (measurement without: over the budget, never trained) or `failed`.
        measurement: As it was taken.
        reason: Of a failure, of what is over the budget, and of a doubt.
        seconds: That it took.
        duplicate_of: The number of the trial whose equal network was evaluated, else None; its outcome was copied.
        rungs: All that it finished, the first one too; one that failed on a later rung is `trained` with a reason.
        calm_ms: What its median stands for at the device's calm speed; None where that was not judged.
    """

    number: int
    architecture: Architecture
    state: State
    measurement: Measurement | None
    reason: str = ""
    seconds: float = 0.0
    duplicate_of: int | None = None
    rungs: tuple[Rung, ...] = ()
    calm_ms: float | None = None

    @property
    def runtime_ms(self) -> float:
        """The median of a measured candidate at calm speed, as it was measured where that was not judged."""
        assert self.measurement is not None
        return self.measurement.runtime.median_ms if self.calm_ms is None else self.calm_ms

    @property
    def p90_ms(self) -> float:
        """The 90th percentile of a measured candidate's runtime, at the speed of `runtime_ms`."""
        assert self.measurement is not None
        measured = self.measurement.runtime
        return measured.p90_ms * self.runtime_ms / measured.median_ms

    @property
    def objectives(self) -> tuple[float, float, float]:
        """(-PSNR, runtime_ms, activations) of a trained candidate, each to be minimised."""
        assert self.measurement is not None
        assert self.measurement.quality is not None
        return -self.psnr, self.runtime_ms, float(self.measurement.complexity.activations)

    @property
    def psnr(self) -> float:
        """PSNR in dB on the first rung of a trained candidate."""
        assert self.measurement is not None
        assert self.measurement.quality is not None
        return self.measurement.quality.psnr

    @property
    def last_psnr(self) -> float:
        """PSNR in dB on the last rung that a trained candidate finished."""
        return self.rungs[-1].psnr if self.rungs else self.psnr

    @property
    def sort_key(self) -> tuple[int, float]:
        """What orders trained candidates: rungs finished, then the PSNR that they promise by a long training."""
        if not self.rungs:
            return 0, self.psnr
        return len(self.rungs), expected_psnr(self.rungs, _LONG * self.rungs[-1].steps)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values from which `from_json` makes an equal trial."""
        return {
            "number": self.number,
            "architecture": self.architecture.to_json(),
            "state": self.state,
            "measurement": None if self.measurement is None else self.measurement.to_json(),
            "reason": self.reason,
            "seconds": self.seconds,
            "duplicate_of": self.duplicate_of,
            "rungs": [rung.to_json() for rung in self.rungs],
            "calm_ms": self.calm_ms,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Trial":
        """Make the trial that `to_json` described."""
        measured = values["measurement"]
        return cls(
            **{
                **values,
                "architecture": Architecture.from_json(values["architecture"]),
                "measurement": None if measured is None else Measurement.from_json(measured),
                "rungs": tuple(Rung.from_json(rung) for rung in values.get("rungs", ())),
            }
        )


def trained_once(trials: Iterable[Trial]) -> list[Trial]:
    """Return the trained candidates, each network once."""
    return [trial for trial in trials if trial.state == "trained" and trial.duplicate_of is None]


def promoted_trials(trials: Iterable[Trial]) -> list[Trial]:
    """Return the candidates that went on to a second rung, the best first."""
    went_on = (each for each in trained_once(trials) if len(each.rungs) > 1)
    return sorted(went_on, key=lambda trial: trial.sort_key, reverse=True)


def front_of(trials: Iterable[Trial]) -> list[Trial]:
    """Return the trained candidates that none dominates in PSNR, runtime and activations, best PSNR first."""
    candidates = {trial.number: trial for trial in trained_once(trials)}
    return [candidates[number] for number in front({key: trial.objectives for key, trial in candidates.items()})]

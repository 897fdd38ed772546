"""What became of one proposed architecture."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nas.successive_halving import Rung
from search_spaces.architecture import Architecture
from sr.measure.measurement import Measurement
from sr.pareto import front

State = Literal["measured", "trained", "infeasible", "failed"]


@dataclass(frozen=True)
class Trial:
    """A candidate.

    state: `measured` (within the budget, quality not known yet), `trained` (measurement with the quality of the first
    rung, the same for all candidates), `infeasible` (measurement without: over the budget, never trained) or `failed`,
    with its reason. rungs: all that it finished, the first one too; one that failed on a later rung is `trained` with a
    reason. duplicate_of: the number of the trial whose equal network was evaluated, else None; its outcome was copied.
    """

    number: int
    architecture: Architecture
    state: State
    measurement: Measurement | None
    reason: str = ""
    seconds: float = 0.0
    duplicate_of: int | None = None
    rungs: tuple[Rung, ...] = ()

    @property
    def objectives(self) -> tuple[float, float, float]:
        """(-PSNR, runtime_ms, activations) of a trained candidate, each to be minimised."""
        assert self.measurement is not None
        assert self.measurement.quality is not None
        measured = self.measurement
        return -self.psnr, measured.runtime.median_ms, float(measured.complexity.activations)

    @property
    def psnr(self) -> float:
        """PSNR in dB on the first rung of a trained candidate."""
        assert self.measurement is not None
        assert self.measurement.quality is not None
        return self.measurement.quality.psnr

    @property
    def sort_key(self) -> tuple[int, float]:
        """What orders trained candidates by what is known of them: rungs finished, then the PSNR on the last one."""
        return (len(self.rungs), self.rungs[-1].psnr) if self.rungs else (0, self.psnr)

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


def front_of(trials: Iterable[Trial]) -> list[Trial]:
    """Return the trained candidates that none dominates in PSNR, runtime and activations, best PSNR first."""
    candidates = {trial.number: trial for trial in trained_once(trials)}
    return [candidates[number] for number in front({key: trial.objectives for key, trial in candidates.items()})]

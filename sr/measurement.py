"""One network's point on the plot: what it costs, how long it takes, how good it is, and on what that was measured."""

from dataclasses import asdict, dataclass
from typing import Any

from sr.complexity import Complexity
from sr.latency import Conditions, Runtime
from sr.quality import Quality


@dataclass(frozen=True)
class Measurement:
    """Counts, runtime and quality of one network.

    reference_ms: median of the reference network timed in the same rounds, so that ratios survive a drift of the
    device's clock. quality: None where the network was not trained, as over the budget.
    """

    complexity: Complexity
    runtime: Runtime
    conditions: Conditions
    reference_ms: float
    quality: Quality | None = None

    @property
    def memory(self) -> int:
        """Bytes at the peak: as the device tells, else counted from the tensors alive."""
        return self.runtime.memory or self.complexity.memory

    def within(self, budget_ms: float) -> bool:
        """Tell whether nine runs of ten stay within the budget."""
        return self.runtime.p90_ms <= budget_ms

    def to_json(self) -> dict[str, Any]:
        """Return JSON values from which `from_json` makes an equal measurement."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Measurement":
        """Make the measurement that `to_json` described; raises TypeError or KeyError for anything else."""
        place = values["conditions"]
        return cls(
            complexity=Complexity(**values["complexity"]),
            runtime=Runtime(**values["runtime"]),
            conditions=Conditions(**{**place, "lr_size": tuple(place["lr_size"])}),
            reference_ms=values["reference_ms"],
            quality=None if values["quality"] is None else Quality(**values["quality"]),
        )

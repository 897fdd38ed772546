"""How much a search measures: of candidates, of the finalists, of the network that it ends with."""

from dataclasses import dataclass, replace

from sr.measure.latency import Protocol

# Of its time, what a search measures once more for at most, of the finalists and of what is shipped.
_WAITING_SHARE = 0.1


@dataclass(frozen=True)
class MeasurementPlan:
    """How long and how often a search measures; the defaults suit networks of a few to some hundred milliseconds.

    Attributes:
        candidate: How each candidate is timed.
        beside: How finalists and hand-designed networks are timed, side by side.
        trained: How the chosen network is timed once it is trained.
        planning_steps: Steps that the speed of the long training is planned by.
        finalists_seconds: After which the finalists are not measured once more where the device was not calm; their
            training is the poorer for it.
        shipped_seconds: The same for the trained network.
        fewest_first_steps: A first rung of fewer steps says little more than how soon a network starts to learn; then
            there is one rung less.
    """

    candidate: Protocol = Protocol(seconds=0.5)
    beside: Protocol = Protocol(seconds=1.0, minimum_runs=30, early_stop_runs=3)
    trained: Protocol = Protocol(seconds=2.0, minimum_runs=50)
    planning_steps: int = 60
    finalists_seconds: float = 20.0
    shipped_seconds: float = 25.0
    fewest_first_steps: int = 200

    def for_limit(self, seconds: float) -> "MeasurementPlan":
        """Return the plan of a search of so many seconds: a short one does not wait long for a calm device."""
        longest = _WAITING_SHARE * seconds
        return replace(
            self, finalists_seconds=min(self.finalists_seconds, longest),
            shipped_seconds=min(self.shipped_seconds, longest),
        )  # fmt: skip


DEFAULT_PLAN = MeasurementPlan()

"""How much a search measures: of candidates, of the finalists, of the network that it ends with."""

from dataclasses import dataclass

from sr.measure.latency import Protocol


@dataclass(frozen=True)
class MeasurementPlan:
    """How long and how often a search measures; the defaults suit networks of a few to some hundred milliseconds.

    Attributes:
        candidate: How each candidate is timed.
        beside: How finalists and hand-designed networks are timed, side by side.
        trained: How the chosen network is timed once it is trained.
        planning_steps: Steps that the speed of the long training is planned by.
        fewest_first_steps: A first rung of fewer steps says little more than how soon a network starts to learn; then
            there is one rung less.
    """

    candidate: Protocol = Protocol(seconds=0.5)
    beside: Protocol = Protocol(seconds=1.0, minimum_runs=30, early_stop_runs=3)
    trained: Protocol = Protocol(seconds=2.0, minimum_runs=50)
    planning_steps: int = 60
    fewest_first_steps: int = 200


DEFAULT_PLAN = MeasurementPlan()

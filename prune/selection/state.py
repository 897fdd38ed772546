"""Where a selection stands: what is alive, and what that costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from prune.config import Metric
from prune.graph.operators.operator import Channels
from prune.graph.plan import Kept, Plan
from prune.selection.problem import Problem
from sr.errors import InputError


@dataclass(frozen=True)
class State:
    """Where a selection stands.

    Attributes:
        alive: Per group the units that are kept.
        present: Per group those of which a channel is read or written.
        kept: What they leave of the network, in normal form.
        spent: What that costs, by each limited metric.
    """

    alive: list[Channels]
    present: list[Channels]
    kept: Mapping[str, Kept]
    spent: Mapping[Metric, float]

    def without_the_absent(self) -> "State":
        """Return the state in which units that nobody reads or writes any more are not alive."""
        return replace(self, alive=list(self.present))


@dataclass(frozen=True)
class Selection:
    """What a selection came to: the units alive, per group, and the plan."""

    alive: list[Channels]
    plan: Plan


def state_of(problem: Problem, alive: Sequence[Channels]) -> State:
    """Return where a selection stands; raises InputError where too little is left of the network."""
    left = problem.left(alive)
    if left is None:
        raise InputError("the plan to go on from leaves too little of the network")
    return State(list(alive), problem.present(left.kept), left.kept, left.spent)

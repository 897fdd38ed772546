"""The time of one pruning from its beginning: what is left of it, who gets how much, and when plans are made."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from torch import nn

from prune.config import PruneConfig
from prune.planning.arm_time import ArmTime
from prune.planning.remembered import Planned, planned_before, remember
from prune.planning.speeds import step_seconds, timed
from prune.planning.time_plan import WORKING_SHARE, describe, fitting, phases, planned, round_seconds
from prune.setup import Setup, asked_steps, fine_tuning
from sr.progress import Message, duration

# What is given of `Steps`, as `Pace` calls it.
_PACE = {"rounds": "rounds", "tick": "tick_steps", "tock": "tock_steps"}


@dataclass(frozen=True)
class TimeTaken:
    """Seconds of a pruning.

    Attributes:
        limit: That it might take; None for no limit.
        planned: That it was planned to take, at most.
        taken: That it took.
    """

    limit: float | None
    planned: float
    taken: float

    @property
    def line(self) -> str:
        """Say it."""
        limit = "without a limit" if self.limit is None else f"of {duration(self.limit)}"
        return f"took {duration(self.taken)} {limit}; planned were {duration(self.planned)} at most"


@dataclass
class TimeKeeper:
    """Shares out the time of a pruning; one that goes on has all of it anew, and goes by the plan that it had.

    Attributes:
        config: What is asked for.
        methods: How many are compared.
        clock: The time in seconds.
        began: When it began.
        planned: Seconds that the plan is of, in all; 0 before there is one.
    """

    config: PruneConfig
    methods: int
    clock: Callable[[], float] = time.monotonic
    began: float = field(init=False)
    planned: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.began = self.clock()

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return self.clock() - self.began

    @property
    def left(self) -> float:
        """Seconds that are left of the limit."""
        return self.config.seconds - self.elapsed

    def plan(self, setup: Setup) -> Planned:
        """Plan by the speed of the first steps, or as an earlier run did; what comes of it is told.

        Args:
            setup: What all methods share.

        Returns:
            The plan, which lies in the folder then.
        """
        made = planned_before(self.config.folder)
        if made is None:
            made = self.fresh(setup)
            remember(self.config.folder, made)
        for line in self.lines(made):
            setup.report(Message(line))
        self.planned = self.elapsed + phases(made.steps, made.speeds, self.methods).total
        return made

    @property
    def taken(self) -> TimeTaken:
        """What it came to."""
        return TimeTaken(None if math.isinf(self.config.seconds) else self.config.seconds, self.planned, self.elapsed)

    def fresh(self, setup: Setup, *, spent: float = 0.0) -> Planned:
        """Return a plan by the speed of the first steps; spent: seconds that something else takes before."""
        speeds, autotuned = timed(self.config, setup, self.methods)
        asked = asked_steps(self.config)
        steps = planned(asked, speeds, self.methods, self.left - spent, self.config.seconds)
        return Planned(steps, speeds, autotuned, is_final="fine_tune" in asked)

    def lines(self, made: Planned, *, spent: float = 0.0) -> list[str]:
        """Return a plan in a line or two; spent: seconds that something else takes before."""
        return describe(made.steps, made.speeds, self.methods, left=self.left - spent, limit=self.config.seconds)

    def arm(self, made: Planned, methods_left: int) -> ArmTime:
        """Return the time that the next of so many methods has: a fair share of what the end does not need."""
        steps, speeds = made.steps, made.speeds
        later = phases(steps, speeds, self.methods)
        seconds = (WORKING_SHARE * self.left - later.fine_tuning - later.finish) / methods_left
        asked = asked_steps(self.config)
        return ArmTime(
            seconds, round_seconds=round_seconds(steps, speeds), measuring=speeds.measuring,
            tock_seconds=steps.tock * speeds.tock, given=[pace for name, pace in _PACE.items() if name in asked],
            may_end_early=self.config.psnr_floor is not None, clock=self.clock,
        )  # fmt: skip

    def fine_tune_steps(self, made: Planned, networks: Sequence[nn.Module], setup: Setup) -> int:
        """Return how many steps all networks are fine-tuned by: what pruning left of the time is known now.

        Args:
            made: The plan.
            networks: Those that are fine-tuned.
            setup: What all methods share.
        """
        if made.is_final or math.isinf(self.config.seconds):
            return made.steps.fine_tune
        teacher = setup.dense() if self.config.distillation else None
        recipe = fine_tuning(self.config, setup.train, 1, setup.autotuned)
        assert recipe is not None
        each = [step_seconds(network, recipe, setup, teacher) for network in networks]
        working = WORKING_SHARE * self.left - made.speeds.finish
        steps = fitting(working, sum(each), self.config.seconds)
        remember(self.config.folder, replace(made, steps=replace(made.steps, fine_tune=steps), is_final=True))
        taken, finish = duration(steps * sum(each)), duration(made.speeds.finish)
        line = f"fine-tuning {len(networks)} networks by {steps:,} steps: {taken}, then {finish} of comparing"
        setup.report(Message(line))
        return steps


def as_planned(setup: Setup, made: Planned) -> Setup:
    """Return what all methods share, with the rounds of a plan."""
    steps = made.steps
    schedule = replace(setup.schedule, rounds=steps.rounds, tick_steps=steps.tick, tock_steps=steps.tock)
    return replace(setup, schedule=schedule, autotuned=made.autotuned)

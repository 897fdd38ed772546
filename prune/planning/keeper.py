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


@dataclass
class TimeKeeper:
    """Shares out the time of a pruning; one that goes on has all of it anew, and goes by the plan that it had.

    Attributes:
        config: What is asked for.
        methods: How many are compared.
        clock: The time in seconds.
        began: When it began.
    """

    config: PruneConfig
    methods: int
    clock: Callable[[], float] = time.monotonic
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    @property
    def left(self) -> float:
        """Seconds that are left of the limit."""
        return self.began + self.config.seconds - self.clock()

    def plan(self, setup: Setup) -> Planned:
        """Plan by the speed of the first steps, or as an earlier run did; what comes of it is told.

        Args:
            setup: What all methods share.

        Returns:
            The plan, which lies in the folder then.
        """
        made = planned_before(self.config.folder)
        if made is None:
            speeds, autotuned = timed(self.config, setup, self.methods)
            asked = asked_steps(self.config)
            steps = planned(asked, speeds, self.methods, self.left, self.config.seconds)
            made = Planned(steps, speeds, autotuned, is_final="fine_tune" in asked)
            remember(self.config.folder, made)
        for line in self.lines(made):
            setup.report(Message(line))
        return made

    def lines(self, made: Planned) -> list[str]:
        """Return a plan in a line or two."""
        return describe(made.steps, made.speeds, self.methods, left=self.left, limit=self.config.seconds)

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

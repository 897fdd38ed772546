"""What a search would cost, from one small candidate; nothing is written."""

import math
from dataclasses import dataclass

from nas.config.measurement_plan import DEFAULT_PLAN, MeasurementPlan
from nas.config.search import SearchConfig
from nas.evaluate import measure_candidate
from nas.pipeline import prepare
from nas.resume import teacher_of
from nas.time_budget import TimeBudget
from search_spaces.network import build
from sr.progress import Report, duration, no_report
from sr.training.autotune import autotune, seconds_per_step

_STEPS = 20


@dataclass(frozen=True)
class CostEstimate:
    """What a search would cost.

    Attributes:
        network: The small candidate that was measured, in a few words.
        runtime_ms: Its median runtime.
        step_seconds: What one of its training steps takes.
        trial_steps: Steps of a candidate that trains to the last rung.
        time_budget: The limits of the search.
    """

    network: str
    runtime_ms: float
    step_seconds: float
    trial_steps: int
    time_budget: TimeBudget

    @property
    def trial_seconds(self) -> float:
        """Seconds that a trained candidate of this size takes."""
        return self.trial_steps * self.step_seconds

    def describe(self) -> list[str]:
        """Say it in a few lines."""
        limits = self.time_budget
        lines = [
            f"{self.network}: {self.runtime_ms:.1f} ms, {1000 * self.step_seconds:.1f} ms a training step",
            f"a trained candidate takes {duration(self.trial_seconds)} at this size, longer where it is larger",
        ]
        if math.isfinite(limits.seconds):
            search, training = limits.search_left, limits.training_share
            most = f"at most {search / max(self.trial_seconds, 0.1):.0f} trained candidates"
            lines.append(
                f"{duration(search)} of searching ({most}), then {duration(training)} of training the chosen; "
                f"{duration(limits.seconds)} in all"
            )
        elif limits.trials is not None:
            lines.append(f"{limits.trials} trials, {duration(limits.trials * self.trial_seconds)} if all are trained")
        return lines


def estimate_cost(
    config: SearchConfig, *, report: Report = no_report, plan: MeasurementPlan = DEFAULT_PLAN
) -> CostEstimate:
    """Measure one small candidate and return what the search would cost; writes nothing."""
    time_budget, teacher = TimeBudget(config.seconds, config.trials), teacher_of(config)
    setup, _, _ = prepare(config, time_budget, report)
    candidate = setup.trainable_reference
    measurement = measure_candidate(candidate, setup, plan.candidate)
    network, device = build(candidate), setup.target.device
    recipe = autotune(network, setup.recipe, setup.train, device, teacher=teacher)
    step = seconds_per_step(network, recipe, setup.train, device, steps=_STEPS, teacher=teacher)
    return CostEstimate(candidate.summary, measurement.runtime.median_ms, step, setup.recipe.steps, time_budget)

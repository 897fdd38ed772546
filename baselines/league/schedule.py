"""What is left to train and how long that takes: said before it begins, and while it goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from baselines.league.entries import Entry
from baselines.league.learning_rate import rates_left
from baselines.league.setup import Setup
from baselines.league.short_training import short_recipe
from baselines.league.training import is_trained
from sr.progress import Event, Progress, Report, Step
from sr.training.autotune import autotune, seconds_per_step
from sr.training.recipe import Recipe

_TIMED_STEPS = 3


@dataclass(frozen=True)
class Plan:
    """The trainings of an entry that are left.

    Attributes:
        recipe: Autotuned for it, with the first seed.
        seconds_per_step: As timed; 0 where nothing is left.
        seeds: Of the trainings that are left.
        rates: How many short trainings are left, one for each rate.
    """

    recipe: Recipe
    seconds_per_step: float
    seeds: tuple[int, ...]
    rates: int

    @property
    def seconds(self) -> float:
        """Return how long all of it takes."""
        short = self.rates * short_recipe(self.recipe).steps
        return self.seconds_per_step * (short + len(self.seeds) * self.recipe.steps)


def plan(entry: Entry, seeds: Sequence[int], setup: Setup) -> Plan:
    """Return what is left of an entry's trainings, by a few timed steps where something is."""
    left = tuple(seed for seed in seeds if not is_trained(entry, seed, setup))
    rates = rates_left(entry, setup)
    if not left and not rates:
        return Plan(setup.recipe, 0.0, left, rates)
    network, device = entry.start(setup.recipe.seed), setup.target.device
    plain = replace(setup.recipe, solve_output=False)
    recipe = autotune(network, plain, setup.train, device)
    seconds = seconds_per_step(network, recipe, setup.train, device, _TIMED_STEPS)
    return Plan(replace(recipe, solve_output=setup.recipe.solve_output), seconds, left, rates)


class Overall:
    """Turns the steps of single trainings into one progress over all of them, in seconds of training.

    Args:
        plans: What is left, by the title of its entry.
        report: Is told how far it has come.

    Attributes:
        seconds: How long all of it takes.
        progress: A context; see `Progress`.
    """

    def __init__(self, plans: Mapping[str, Plan], report: Report) -> None:
        self.seconds = sum(each.seconds for each in plans.values())
        self.progress = Progress("league", max(1, round(self.seconds)), "s of training", report=report)
        self._report, self._done = report, 0.0

    def of(self, its: Plan) -> Report:
        """Return what is told of the steps of an entry's trainings, one after another; all else goes on as it is."""
        last = 0

        def report(event: Event) -> None:
            nonlocal last
            if not isinstance(event, Step):
                self._report(event)
                return
            # What another training begins with is less than what the one before ended with.
            new = event.done - last if event.done >= last else event.done
            last = 0 if event.ended else event.done
            self._done += new * its.seconds_per_step
            note = f"{event.label}: {event.done}/{event.total}{', ' + event.note if event.note else ''}"
            self.progress.step(max(0, round(self._done) - self.progress.done), note)

        return report

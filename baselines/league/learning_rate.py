"""The learning rate of an entry: the best of the same few for all, by a short training of each."""

from dataclasses import dataclass, replace

from baselines.league.entries import Entry
from baselines.league.setup import Setup
from baselines.league.short_training import is_done, train_shortly
from sr.progress import Report, no_report
from sr.training.recipe import Recipe


@dataclass(frozen=True)
class Choice:
    """The learning rates that were tried, each with its PSNR in dB, None where the training failed."""

    psnr: tuple[tuple[float, float | None], ...]

    @property
    def best(self) -> float:
        """The rate of the best PSNR; the lowest where all trainings failed."""
        reached = [(psnr, -rate) for rate, psnr in self.psnr if psnr is not None]
        return -max(reached)[1] if reached else min(rate for rate, _ in self.psnr)


def rates_left(entry: Entry, setup: Setup) -> int:
    """Return how many rates are still to be tried."""
    return sum(not is_done(entry, rate, setup) for rate in setup.rates)


def choose(entry: Entry, recipe: Recipe, setup: Setup, report: Report = no_report) -> Choice:
    """Try every rate, where that was not done before.

    Args:
        entry: The network.
        recipe: Of its long training, autotuned.
        setup: What all entries share.
        report: Is told of the steps.

    Raises:
        InputError: As `train_shortly` does.
    """
    recipes = [replace(recipe, learning_rate=rate) for rate in setup.rates]
    return Choice(tuple((each.learning_rate, train_shortly(entry, each, setup, report)) for each in recipes))

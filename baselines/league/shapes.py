"""The shape of a family: of its members within the budget that which is the best after a short training."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from baselines.league.entries import Entry
from baselines.league.executor import Task, done_in_order, executor
from baselines.league.schedule import Overall, plan
from baselines.league.setup import Setup
from baselines.league.short_training import is_done, psnr_text, short_psnr, short_recipe, train_shortly
from baselines.registry import BASELINES
from sr.progress import Message, Report, duration, no_report


def best_shapes(
    families: Mapping[str, Sequence[Entry]], setup: Setup, *, workers: int = 1, report: Report = no_report
) -> list[Entry]:
    """Return of each family the member that is the best after a short training at the middle rate.

    What was trained before is read; a family of one member needs no training.

    Args:
        families: Members by the name of their family, the largest first.
        setup: What they share.
        workers: How many train at once, in processes of their own.
        report: Is told what goes on.

    Raises:
        InputError: Where a file of an earlier run is broken, or the folder cannot be written.
    """
    rate = setup.rates[len(setup.rates) // 2]
    doubtful = itertools.chain.from_iterable(its for its in families.values() if len(its) > 1)
    left = [each for each in doubtful if not is_done(each, rate, setup)]
    if left:
        _train(left, rate, setup, workers, report)
    return [its[0] if len(its) == 1 else _best(name, its, rate, setup, report) for name, its in families.items()]


def _best(name: str, its: Sequence[Entry], rate: float, setup: Setup, report: Report) -> Entry:
    """Return the best of a family's members; where trainings failed or came out equal, the largest."""
    psnr = {each.title: short_psnr(each, rate, setup) for each in its}
    best = max(its, key=lambda each: psnr[each.title] or 0.0)
    told = ", ".join(f"{title} {psnr_text(reached)}" for title, reached in psnr.items())
    report(Message(f"{BASELINES[name].system}: {best.title} of {told}"))
    return best


def _train(entries: Sequence[Entry], rate: float, setup: Setup, workers: int, report: Report) -> None:
    """Train each shortly at a rate."""
    plans = {each.title: replace(plan(each, (), setup), rates=1) for each in entries}
    overall = Overall(plans, report)
    report(Message(f"{len(entries)} short trainings choose shapes, which take about {duration(overall.seconds)}"))
    tasks = [
        Task(each, replace(its.recipe, learning_rate=rate), short_recipe(setup.recipe).steps, overall.of(its))
        for each, its in ((each, plans[each.title]) for each in entries)
    ]
    with executor(workers, setup) as doing, overall.progress:
        for _ in done_in_order(train_shortly, tasks, by=doing):
            pass

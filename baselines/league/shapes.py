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

# dB: members of a family at one budget seldom differ by as much, and deep ones that a rate is too high for by far more.
_BEHIND = 0.2


def best_shapes(
    families: Mapping[str, Sequence[Entry]], setup: Setup, *, workers: int = 1, report: Report = no_report
) -> list[Entry]:
    """Return of each family the member that is the best after a short training.

    All train at the middle rate, and those that it leaves far behind the best of their family also at the lowest one.
    What was trained before is read; a family of one member needs no training.

    Args:
        families: Members by the name of their family, the largest first.
        setup: What they share.
        workers: How many train at once, in processes of their own.
        report: Is told what goes on.

    Raises:
        InputError: Where a file of an earlier run is broken, or the folder cannot be written.
    """
    rate, lower = setup.rates[len(setup.rates) // 2], setup.rates[0]
    doubtful = [its for its in families.values() if len(its) > 1]
    _train(list(itertools.chain.from_iterable(doubtful)), rate, setup, workers, report)
    behind = [each for its in doubtful for each in _far_behind(its, rate, setup)]
    _train(behind, lower, setup, workers, report)
    reached = {each.title: short_psnr(each, rate, setup) for its in doubtful for each in its}
    for each in behind:
        again = short_psnr(each, lower, setup)
        reached[each.title] = max((psnr for psnr in (reached[each.title], again) if psnr is not None), default=None)
    return [its[0] if len(its) == 1 else _best(name, its, reached, report) for name, its in families.items()]


def _far_behind(its: Sequence[Entry], rate: float, setup: Setup) -> list[Entry]:
    """Return the members of a family that a rate leaves far behind the best one, or with nothing."""
    psnr = {each.title: short_psnr(each, rate, setup) or 0.0 for each in its}
    best = max(psnr.values())
    return [each for each in its if psnr[each.title] < best - _BEHIND or not psnr[each.title]]


def _best(name: str, its: Sequence[Entry], reached: Mapping[str, float | None], report: Report) -> Entry:
    """Return the best of a family's members; where trainings failed or came out equal, the largest."""
    best = max(its, key=lambda each: reached[each.title] or 0.0)
    told = ", ".join(f"{each.title} {psnr_text(reached[each.title])}" for each in its)
    report(Message(f"{BASELINES[name].system}: {best.title} of {told}"))
    return best


def _train(entries: Sequence[Entry], rate: float, setup: Setup, workers: int, report: Report) -> None:
    """Train each shortly at a rate, where that was not done before."""
    left = [each for each in entries if not is_done(each, rate, setup)]
    if not left:
        return
    plans = {each.title: replace(plan(each, (), setup), rates=1) for each in left}
    overall = Overall(plans, report)
    count = f"{len(left)} short training{'s' if len(left) > 1 else ''} at a rate of {rate:g}"
    report(Message(f"{count} to choose shapes by, about {duration(overall.seconds)}"))
    tasks = [
        Task(each, replace(its.recipe, learning_rate=rate), short_recipe(setup.recipe).steps, overall.of(its))
        for each, its in ((each, plans[each.title]) for each in left)
    ]
    with executor(workers, setup) as doing, overall.progress:
        for _ in done_in_order(train_shortly, tasks, by=doing):
            pass

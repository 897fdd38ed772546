"""A league from end to end: every network measured beside the others, trained for each seed, and put in order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from baselines.league.entries import Entry
from baselines.league.executor import Task, done_in_order, executor
from baselines.league.learning_rate import choose
from baselines.league.record import lineage, results_of
from baselines.league.runtimes import PROTOCOL, runtimes
from baselines.league.schedule import Overall, Plan, plan
from baselines.league.setup import Setup
from baselines.league.short_training import psnr_text, short_recipe
from baselines.league.standings import Standing, Standings
from baselines.league.training import train
from sr.executors.executor import Executor
from sr.measure.latency import Protocol
from sr.measure.measurement import Measurement
from sr.measure.quality import Quality, bicubic_quality
from sr.progress import Message, Report, duration, no_report
from sr.training.recipe import Recipe


def hold(
    entries: Sequence[Entry],
    seeds: int,
    setup: Setup,
    *,
    workers: int = 1,
    protocol: Protocol = PROTOCOL,
    after_seed: Callable[[Standings], None] = lambda _: None,
    report: Report = no_report,
) -> Standings:
    """Measure, train and judge all entries; killed, the same call goes on.

    Seed by seed, so that all stand side by side early.

    Args:
        entries: Each with a title of its own.
        seeds: How many trainings each gets, by the recipe's seed and those that follow it.
        setup: What they share.
        workers: How many train at once, in processes of their own.
        protocol: How they are timed.
        after_seed: Is given the standings whenever all have been trained by one more seed.
        report: Is told what goes on, and how long it takes.

    Raises:
        InputError: Where the engine cannot run one of them, or a file of an earlier run is broken.
    """
    measured = runtimes(entries, setup, protocol=protocol, report=report)
    bicubic = _bicubic(setup)
    numbers = range(setup.recipe.seed, setup.recipe.seed + seeds)
    plans = {entry.title: plan(entry, numbers, setup) for entry in entries}
    overall = Overall(plans, report)
    trainings = sum(len(each.seeds) for each in plans.values())
    alone = "" if workers == 1 else f" one at a time, less with {workers} at once"
    report(Message(f"{trainings} trainings are left, which take about {duration(overall.seconds)}{alone}"))
    with executor(workers, setup) as doing, overall.progress:
        rates = _rates(entries, plans, setup, overall, doing, report)
        for seed in numbers:
            _train(entries, seed, rates, plans, setup, overall, doing, report)
            after_seed(_standings(entries, measured, setup, bicubic))
    return _standings(entries, measured, setup, bicubic)


def measured_again(
    entries: Sequence[Entry], setup: Setup, *, protocol: Protocol = PROTOCOL, report: Report = no_report
) -> Standings:
    """Measure all entries anew, in the engine of the setup, beside what trainings in its folder came to; train nothing.

    Args:
        entries: Each with a title of its own.
        setup: What they share.
        protocol: How they are timed.
        report: Is told what goes on, and which entry has no training there.

    Raises:
        InputError: As `hold` does.
    """
    measured = runtimes(entries, setup, protocol=protocol, anew=True, report=report)
    standings = _standings(entries, measured, setup, _bicubic(setup))
    for each in standings.standings:
        if not each.results:
            report(Message(f"{each.title} has not been trained in {setup.folder} like this: it has a runtime alone"))
    return standings


def _bicubic(setup: Setup) -> dict[str, Quality]:
    """Return what plain interpolation comes to on each set of pictures."""
    return {name: bicubic_quality(pairs, setup.target.device) for name, pairs in setup.val.items()}


def _rates(
    entries: Sequence[Entry],
    plans: Mapping[str, Plan],
    setup: Setup,
    overall: Overall,
    doing: Executor[Setup],
    report: Report,
) -> dict[str, float]:
    """Return the learning rate of each entry by its title."""
    left = _once([entry for entry in entries if plans[entry.title].rates], setup)
    steps = short_recipe(setup.recipe).steps
    tasks = [
        Task(each, its.recipe, its.rates * steps, overall.of(its))
        for each, its in ((each, plans[each.title]) for each in left)
    ]
    for entry, choice in zip(left, done_in_order(choose, tasks, by=doing), strict=True):
        reached = ", ".join(f"{rate:g} {psnr_text(psnr)}" for rate, psnr in choice.psnr)
        report(Message(f"{entry.title}: learning rate {choice.best:g} ({reached})"))
    return {entry.title: choose(entry, plans[entry.title].recipe, setup).best for entry in entries}


def _train(
    entries: Sequence[Entry],
    seed: int,
    rates: Mapping[str, float],
    plans: Mapping[str, Plan],
    setup: Setup,
    overall: Overall,
    doing: Executor[Setup],
    report: Report,
) -> None:
    """Train every entry by one seed and say what came of it; one that is done is only judged where pictures are new."""

    def recipe(entry: Entry) -> Recipe:
        return replace(plans[entry.title].recipe, learning_rate=rates[entry.title], seed=seed)

    left = _once([entry for entry in entries if seed in plans[entry.title].seeds], setup)
    tasks = [Task(each, recipe(each), setup.recipe.steps, overall.of(plans[each.title])) for each in left]
    for entry, result in zip(left, done_in_order(train, tasks, by=doing), strict=True):
        psnr = ", ".join(f"{name} {each.psnr:.2f} dB (Y {each.psnr_y:.2f})" for name, each in result.quality.items())
        report(Message(f"{entry.title}, seed {seed}: {psnr or 'failed: ' + result.failure}"))
    for entry in entries:
        train(entry, recipe(entry), setup)


def _once(entries: Sequence[Entry], setup: Setup) -> list[Entry]:
    """Return the entries without those that are the same network under another title."""
    return list({lineage(entry, setup): entry for entry in reversed(entries)}.values())[::-1]


def _standings(
    entries: Sequence[Entry], measured: Mapping[str, Measurement], setup: Setup, bicubic: Mapping[str, Quality]
) -> Standings:
    """Return what is known so far, trainings of other lengths in the same folder included."""
    standings = [
        Standing(each.title, each.kind, measured[each.title], tuple(results_of(each, setup)), each.description)
        for each in entries
    ]
    return Standings(setup.budget_ms, tuple(setup.val), bicubic, tuple(standings), setup.scale, setup.calm_ms)

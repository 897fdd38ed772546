"""A league from end to end: every network measured beside the others, trained for each seed, and put in order."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from baselines.league.entries import Entry
from baselines.league.learning_rate import choose
from baselines.league.record import results_of
from baselines.league.runtimes import PROTOCOL, runtimes
from baselines.league.schedule import Overall, Plan, plan
from baselines.league.setup import Setup
from baselines.league.standings import Standing, Standings
from baselines.league.training import train
from sr.measure.latency import Protocol
from sr.measure.measurement import Measurement
from sr.measure.quality import Quality, bicubic_quality
from sr.progress import Message, Report, duration, no_report


def hold(
    entries: Sequence[Entry],
    seeds: int,
    setup: Setup,
    *,
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
        protocol: How they are timed.
        after_seed: Is given the standings whenever all have been trained by one more seed.
        report: Is told what goes on, and how long it takes.

    Raises:
        InputError: Where the engine cannot run one of them, or a file of an earlier run is broken.
    """
    measured = runtimes(entries, setup, protocol=protocol, report=report)
    bicubic = {name: bicubic_quality(pairs, setup.target.device) for name, pairs in setup.val.items()}
    numbers = range(setup.recipe.seed, setup.recipe.seed + seeds)
    plans = {entry.title: plan(entry, numbers, setup) for entry in entries}
    overall = Overall(plans, setup, report)
    trainings = sum(len(each.seeds) for each in plans.values())
    report(Message(f"{trainings} trainings are left, which take about {duration(overall.seconds)}"))
    with overall.progress:
        rates = {entry.title: _rate(entry, plans[entry.title], setup, overall, report) for entry in entries}
        for seed in numbers:
            for entry in entries:
                _train(entry, seed, rates[entry.title], plans[entry.title], setup, overall, report)
            after_seed(_standings(entries, measured, setup, bicubic))
    return _standings(entries, measured, setup, bicubic)


def _rate(entry: Entry, its: Plan, setup: Setup, overall: Overall, report: Report) -> float:
    """Return the learning rate of an entry."""
    choice = choose(entry, its.recipe, setup, overall.of(its))
    if its.chooses:
        reached = ", ".join(f"{rate:g} {'failed' if psnr is None else f'{psnr:.2f} dB'}" for rate, psnr in choice.psnr)
        report(Message(f"{entry.title}: learning rate {choice.best:g} ({reached})"))
    return choice.best


def _train(entry: Entry, seed: int, rate: float, its: Plan, setup: Setup, overall: Overall, report: Report) -> None:
    """Train an entry by one seed and say what came of it; one that is done is only judged where pictures are new."""
    result = train(entry, replace(its.recipe, learning_rate=rate, seed=seed), setup, overall.of(its))
    if seed in its.seeds:
        psnr = ", ".join(f"{name} {each.psnr:.2f} dB (Y {each.psnr_y:.2f})" for name, each in result.quality.items())
        report(Message(f"{entry.title}, seed {seed}: {psnr or 'failed: ' + result.failure}"))


def _standings(
    entries: Sequence[Entry], measured: dict[str, Measurement], setup: Setup, bicubic: dict[str, Quality]
) -> Standings:
    """Return what is known so far, trainings of other lengths in the same folder included."""
    standings = [
        Standing(each.title, each.kind, measured[each.title], tuple(results_of(each, setup))) for each in entries
    ]
    return Standings(setup.budget_ms, tuple(setup.val), bicubic, tuple(standings))

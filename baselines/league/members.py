"""The members of families at a budget, remembered: a league that goes on is of the same networks."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from baselines.at_budget import at_budget, sizes_of
from baselines.league.entries import Entry, of_size
from baselines.league.executor import Task, done_in_order, executor
from baselines.league.learning_rate import at_middle_rate, short_recipe
from baselines.league.record import digest, read
from baselines.league.schedule import plan
from baselines.league.setup import Setup
from baselines.registry import BASELINES
from sr.files import write_json
from sr.measure.latency import Protocol
from sr.measure.latency_model import LatencyModel
from sr.progress import Event, Message, Progress, Report, Step, no_report
from sr.scale import DEFAULT_SCALE

# Sizes of one width that are measured at the most: the model is corrected by each.
_ROUNDS = 6
# Members of a family that are trained for a while: the largest is the widest and shallowest, hardly ever the best.
SHAPES = 3
PROTOCOL = Protocol(seconds=1.0, minimum_runs=20, early_stop_runs=3)


def members(
    names: Sequence[str],
    setup: Setup,
    model: LatencyModel,
    *,
    shapes: int = SHAPES,
    protocol: Protocol = PROTOCOL,
    report: Report = no_report,
) -> dict[str, list[Entry]]:
    """Return of each family its largest members that keep to the budget, by its name; those found before are read.

    Args:
        names: Families that can be scaled.
        setup: With the budget, the target and the scale.
        model: What work costs on it.
        shapes: How many of a family at the most, each of another width.
        protocol: How sizes are timed.
        report: Is told what is looked for, what other processes disturbed, and which family has none.

    Returns:
        In the order of `names`, without families of which none keeps to the budget; the largest member first.

    Raises:
        InputError: As `at_budget` does, or for a broken file of an earlier run.
    """
    conditions = asdict(setup.target.conditions)
    key = [setup.budget_ms, conditions, shapes, *([] if setup.scale == DEFAULT_SCALE else [setup.scale])]
    path = setup.folder / f"members-{digest(key)}.json"
    known = (read(path) or {"members": {}})["members"]
    of_these_sizes = {name: digest(sizes_of(name, setup.scale)) for name in names}
    unknown = [name for name in names if known.get(name, {}).get("sizes") != of_these_sizes[name]]
    if unknown:
        report(Message(f"looking in {len(unknown)} families for the largest networks within {setup.budget_ms:g} ms"))
        found = at_budget(
            unknown, setup.budget_ms, setup.target, model,
            shapes=shapes, protocol=protocol, rounds=_ROUNDS, scale=setup.scale,
        )  # fmt: skip
        for name in unknown:
            configs = [dict(each.config) for each in found.get(name, ())]
            known[name] = {"sizes": of_these_sizes[name], "configs": configs}
        write_json(path, {"budget_ms": setup.budget_ms, "conditions": conditions, "members": known})
        measured = itertools.chain.from_iterable(found.values())
        if disturbed := ", ".join(each.title for each in measured if each.measurement.runtime.disturbed):
            line = f"other processes disturbed the measuring of {disturbed}: larger ones may keep to the budget"
            report(Message(f"{line}; without {path} they are looked for again"))
    for name in names:
        if not known[name]["configs"]:
            report(Message(f"no {BASELINES[name].system} is within {setup.budget_ms:g} ms"))
    of_each = {name: [of_size(name, config) for config in known[name]["configs"]] for name in names}
    return {name: its for name, its in of_each.items() if its}


def best_shapes(
    families: Mapping[str, Sequence[Entry]], setup: Setup, *, workers: int = 1, report: Report = no_report
) -> list[Entry]:
    """Return of each family the member that is the best after a short training at the middle rate.

    Those that were trained before are read; a family of one member needs none.

    Args:
        families: Members by the name of their family.
        setup: What they share.
        workers: How many train at once, in processes of their own.
        report: Is told what goes on.

    Raises:
        InputError: Where a file of an earlier run is broken, or the folder cannot be written.
    """
    doubtful = {name: its for name, its in families.items() if len(its) > 1}
    entries = list(itertools.chain.from_iterable(doubtful.values()))
    plans = {each.title: plan(each, (), setup) for each in entries}
    steps = short_recipe(setup.recipe).steps
    progress = Progress("shapes", max(1, len(entries) * steps), "steps of training", report=report)
    tasks = [Task(each, plans[each.title].recipe, steps, _counted(progress)) for each in entries]
    with executor(workers, setup) as doing, progress:
        reached = dict(zip(plans, done_in_order(at_middle_rate, tasks, by=doing), strict=True))
    best = []
    for name, its in families.items():
        # Where trainings fail or come out equal, the largest.
        best.append(max(its, key=lambda each: reached.get(each.title) or 0.0))
        if name in doubtful:
            psnr = ", ".join(f"{each.title} {_decibels(reached[each.title])}" for each in its)
            report(Message(f"{BASELINES[name].system}: {best[-1].title} of {psnr}"))
    return best


def _counted(progress: Progress) -> Report:
    """Return what counts the steps of a training, and passes on nothing else."""
    done = 0

    def report(event: Event) -> None:
        nonlocal done
        if isinstance(event, Step):
            progress.step(event.done - done, event.label)
            done = event.done

    return report


def _decibels(psnr: float | None) -> str:
    return "failed" if psnr is None else f"{psnr:.2f} dB"

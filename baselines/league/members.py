"""The members of families at a budget, remembered: a league that goes on is of the same networks."""

import itertools
from collections.abc import Sequence
from dataclasses import asdict

from baselines.at_budget import at_budget, sizes_of
from baselines.league.entries import Entry, of_size
from baselines.league.record import digest, read
from baselines.league.setup import Setup
from baselines.registry import BASELINES
from sr.files import write_json
from sr.measure.latency import Protocol
from sr.measure.latency_model import LatencyModel
from sr.progress import Message, Report, no_report
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
    """Return of each family its largest members that keep to the budget at calm speed; those found before are read.

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
            shapes=shapes, protocol=protocol, rounds=_ROUNDS, scale=setup.scale, calm_ms=setup.calm_ms,
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

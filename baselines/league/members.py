"""The members of families at a budget, remembered: a league that goes on is of the same networks."""

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

# Sizes of a family that are measured at the most: the model is corrected by each.
_ROUNDS = 8
PROTOCOL = Protocol(seconds=1.0, minimum_runs=20, early_stop_runs=3)


def members(
    names: Sequence[str],
    setup: Setup,
    model: LatencyModel,
    *,
    protocol: Protocol = PROTOCOL,
    report: Report = no_report,
) -> list[Entry]:
    """Return of each family the largest member that keeps to the budget; those found before are read.

    Args:
        names: Families that can be scaled.
        setup: With the budget, the target and the scale.
        model: What work costs on it.
        protocol: How sizes are timed.
        report: Is told what is looked for, what other processes disturbed, and which family has none.

    Raises:
        InputError: As `at_budget` does, or for a broken file of an earlier run.
    """
    conditions = asdict(setup.target.conditions)
    key = [setup.budget_ms, conditions, *([] if setup.scale == DEFAULT_SCALE else [setup.scale])]
    path = setup.folder / f"members-{digest(key)}.json"
    known = (read(path) or {"members": {}})["members"]
    of_these_sizes = {name: digest(sizes_of(name, setup.scale)) for name in names}
    unknown = [name for name in names if known.get(name, {}).get("sizes") != of_these_sizes[name]]
    if unknown:
        report(Message(f"looking in {len(unknown)} families for the largest network within {setup.budget_ms:g} ms"))
        found = at_budget(
            unknown, setup.budget_ms, setup.target, model, protocol=protocol, rounds=_ROUNDS, scale=setup.scale
        )
        for name in unknown:
            config = dict(found[name].config) if name in found else None
            known[name] = {"sizes": of_these_sizes[name], "config": config}
        write_json(path, {"budget_ms": setup.budget_ms, "conditions": conditions, "members": known})
        if disturbed := ", ".join(each.title for each in found.values() if each.measurement.runtime.disturbed):
            line = f"other processes disturbed the measuring of {disturbed}: larger ones may keep to the budget"
            report(Message(f"{line}; without {path} they are looked for again"))
    for name in names:
        if known[name]["config"] is None:
            report(Message(f"no {BASELINES[name].system} is within {setup.budget_ms:g} ms"))
    return [of_size(name, known[name]["config"]) for name in names if known[name]["config"] is not None]

"""The runtimes of all entries, taken in the same rounds and kept: a league that goes on measures nothing anew."""

from collections.abc import Sequence
from dataclasses import asdict

from baselines.beside_reference import measure_beside_reference
from baselines.league.entries import Entry
from baselines.league.record import digest, read
from baselines.league.setup import Setup
from sr.errors import InputError
from sr.files import write_json
from sr.measure.latency import Protocol
from sr.measure.measurement import Measurement
from sr.progress import Message, Report, no_report

PROTOCOL = Protocol(seconds=2.0, minimum_runs=50)


def runtimes(
    entries: Sequence[Entry],
    setup: Setup,
    *,
    protocol: Protocol = PROTOCOL,
    anew: bool = False,
    report: Report = no_report,
) -> dict[str, Measurement]:
    """Return the counts and the runtime of each entry by its title, all of the same rounds; those of before are read.

    Args:
        entries: Each is measured in deployed form, the reference network beside them.
        setup: With the target.
        protocol: How they are timed.
        anew: Whether those that were taken before give way to new ones.
        report: Is told what is measured.

    Raises:
        InputError: Where the engine cannot run one of them, or for a broken file of an earlier run.
    """
    conditions = asdict(setup.target.conditions)
    key = digest([conditions, asdict(protocol), [[each.title, each.identity] for each in entries]])
    path = setup.folder / f"runtimes-{key}.json"
    kept = None if anew else read(path)
    try:
        found = None if kept is None else {name: Measurement.from_json(each) for name, each in kept.items()}
    except (TypeError, KeyError) as error:
        raise InputError(f"{path} holds no runtimes; remove it, and they are taken anew") from error
    if found is None:
        report(Message(f"measuring {len(entries)} networks in {setup.target.engine}"))
        found = measure_beside_reference({each.title: each.untrained() for each in entries}, setup.target, protocol)
        write_json(path, {name: each.to_json() for name, each in found.items()})
    return found

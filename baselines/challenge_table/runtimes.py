"""Runtimes of baselines on this device: by this project's protocol, and by the challenge's own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import nn

from baselines.challenge_table.frames import estimated_seconds, pass_means
from baselines.challenge_table.record import Measured, Record
from baselines.registry import build
from search_spaces.msrresnet import REFERENCE_NETWORK
from search_spaces.network import build as build_architecture
from sr.checkpoint import one_line
from sr.errors import InputError
from sr.lr_size import LrSize, size_text
from sr.measure.complexity import Complexity, count
from sr.measure.engines.registry import engine_of
from sr.measure.latency import Protocol, Subject, measure_subjects
from sr.measure.measurement import Measurement
from sr.measure.target import Target
from sr.memory import free_bytes
from sr.progress import Progress, Report, no_report

_NETWORK, _REFERENCE = "network", "reference"
# The table must end: what is slower than 75 ms is timed three times, and what is far slower at first in one memory
# format.
PROTOCOL = Protocol(seconds=1.0, minimum_runs=5, early_stop_ms=75.0, early_stop_runs=3, idle_seconds=2.0)


def measure_steady(
    names: Sequence[str],
    records: Mapping[str, Record],
    targets: Sequence[Target],
    *,
    protocol: Protocol = PROTOCOL,
    report: Report = no_report,
) -> dict[str, Record]:
    """Measure what the records do not hold yet, each beside the reference network and in all engines in turn.

    Args:
        names: Keys of `BASELINES`.
        records: What is kept, by engine; of the targets' conditions.
        targets: What they are measured on: one device in several engines.
        protocol: How long and how often they are timed; what is slower than its `early_stop_ms` is tried in both
            memory formats.
        report: Is told which network is being measured.

    Returns:
        The records with all rows, by engine; those that had failed were tried again.
    """
    grown = dict(records)
    with Progress("measuring", len(names), "network", report=report) as progress:
        for name in names:
            progress.step(0, note=name)
            for engine, measured in _steady(name, grown, targets, protocol).items():
                if measured != grown[engine].rows.get(name):
                    grown[engine] = grown[engine].with_row(name, measured)
            progress.step(note=name)
    return grown


def _steady(
    name: str, records: Mapping[str, Record], targets: Sequence[Target], protocol: Protocol
) -> dict[str, Measured]:
    """Return a baseline's new rows by engine: where none is kept whose network still counts the same."""
    network = _seeded(name)
    target = targets[0]
    complexity = count(network, target.lr_size)
    lacking = [each for each in targets if not _is_of(records[each.engine].rows.get(name), complexity)]
    if lacking and complexity.memory >= free_bytes(target.device):
        too_large = Measured(problem=_too_large(complexity.memory, target.lr_size))
        return {each.engine: too_large for each in lacking}
    return _in_engines(network, complexity, lacking, protocol)


def _is_of(kept: Measured | None, complexity: Complexity) -> bool:
    """Return whether a row holds a measurement of a network that counts so."""
    return kept is not None and kept.measurement is not None and kept.measurement.complexity == complexity


def _seeded(name: str) -> nn.Module:
    """Build a baseline with the same weights every time."""
    torch.manual_seed(0)
    return build(name)


def _too_large(memory: int, lr_size: LrSize) -> str:
    """Return in words that a network does not fit."""
    return f"does not fit: a forward of {size_text(lr_size)} needs {memory / 1e9:.1f} GB, more than the device has left"


def _in_engines(
    network: nn.Module, complexity: Complexity, targets: Sequence[Target], protocol: Protocol
) -> dict[str, Measured]:
    """Measure a network in several engines; in one that cannot run it, its row says why."""
    try:
        return {
            engine: Measured(measurement)
            for engine, measurement in _beside_reference(network, complexity, targets, protocol).items()
        }
    except (RuntimeError, InputError) as error:
        # Out of memory, or an operator that has no kernel for this dtype, or that this engine lacks: said in the row,
        # and the rest go on.
        if len(targets) == 1:
            return {targets[0].engine: Measured(problem=one_line(error, 120))}
    # Which engine it was shows each alone.
    alone = [_in_engines(network, complexity, [target], protocol) for target in targets]
    return {engine: measured for each in alone for engine, measured in each.items()}


def _beside_reference(
    network: nn.Module, complexity: Complexity, targets: Sequence[Target], protocol: Protocol
) -> dict[str, Measurement]:
    """Measure a network in the same rounds as the reference, in all engines; by engine."""
    found = _in_rounds(network, complexity, targets, protocol)
    for target in targets:
        taken = found[target.engine]
        of_both = "channels_last" in engine_of(target).memory_formats
        if (
            of_both
            and taken.runtime.median_ms > 2 * protocol.early_stop_ms
            and taken.runtime.memory_format == "contiguous"
        ):
            # Its cold run, perhaps twice as long, may have kept the measurer from trying the second format.
            other = _in_rounds(network, complexity, [target], replace(protocol, memory_format="channels_last"))
            found[target.engine] = min(taken, other[target.engine], key=lambda each: each.runtime.median_ms)
    return found


def _in_rounds(
    network: nn.Module, complexity: Complexity, targets: Sequence[Target], protocol: Protocol
) -> dict[str, Measurement]:
    reference = build_architecture(REFERENCE_NETWORK)
    subjects = {}
    for target in targets:
        subjects[f"{_NETWORK} {target.engine}"] = Subject(network, target)
        subjects[f"{_REFERENCE} {target.engine}"] = Subject(reference, target)
    runtimes = measure_subjects(subjects, protocol)
    return {
        target.engine: Measurement(
            complexity,
            runtimes[f"{_NETWORK} {target.engine}"],
            target.conditions,
            runtimes[f"{_REFERENCE} {target.engine}"].median_ms,
        )
        for target in targets
    }


def challenge_names(names: Sequence[str], record: Record) -> list[str]:
    """Return those that have a runtime and lack one by the challenge's protocol."""
    rows = {name: record.rows[name] for name in names if name in record.rows}
    return [name for name, row in rows.items() if row.measurement is not None and not row.passes_ms]


def challenge_seconds(names: Sequence[str], record: Record) -> float:
    """Return about how long the challenge's protocol will take for networks that have a steady runtime."""
    medians = [row.measurement.runtime.median_ms for name in names if (row := record.rows[name]).measurement]
    return sum(estimated_seconds(median, record.conditions.lr_size, record.frames) for median in medians)


def measure_challenge(names: Sequence[str], record: Record, target: Target, *, report: Report = no_report) -> Record:
    """Add the challenge's protocol to rows that have a steady runtime and lack it."""
    with Progress("the challenge's protocol", len(names), "network", report=report) as progress:
        for name in names:
            progress.step(0, note=name)
            record = record.with_row(name, _through_frames(name, record, target))
            progress.step(note=name)
    return record


def _through_frames(name: str, record: Record, target: Target) -> Measured:
    """Return a row with the passes over the record's frames, or with the problem that they met."""
    row, network = record.rows[name], _seeded(name)
    assert row.measurement is not None
    largest = max(record.frames, key=lambda size: size[0] * size[1])
    memory = count(network, largest).memory
    if memory >= free_bytes(target.device):
        return replace(row, problem=_too_large(memory, largest))
    memory_format = row.measurement.runtime.memory_format
    try:
        passes = pass_means(network, target, record.frames, memory_format=memory_format)
    except (RuntimeError, InputError) as error:
        return replace(row, problem=one_line(error, 120))
    return replace(row, problem="", passes_ms=passes)

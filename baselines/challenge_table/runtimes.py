"""Runtimes of baselines on this device: by this project's protocol, and by the challenge's own."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from baselines.challenge_table.frames import estimated_seconds, pass_means
from baselines.challenge_table.record import Measured, Record
from baselines.registry import build
from search_spaces.msrresnet import REFERENCE_NETWORK
from search_spaces.network import build as build_architecture
from sr.checkpoint import one_line
from sr.lr_size import LrSize, size_text
from sr.measure.complexity import count
from sr.measure.latency import Protocol
from sr.measure.measurement import Measurement, measure
from sr.measure.target import Target
from sr.memory import free_bytes
from sr.progress import Progress, Report, no_report

_NETWORK, _REFERENCE = "network", "reference"
# The table must end: what is slower than 75 ms is timed three times, and what is far slower at first in one memory
# format.
PROTOCOL = Protocol(seconds=1.0, minimum_runs=5, early_stop_ms=75.0, early_stop_runs=3, idle_seconds=2.0)


def measure_steady(
    names: Sequence[str],
    record: Record,
    target: Target,
    *,
    protocol: Protocol = PROTOCOL,
    report: Report = no_report,
) -> Record:
    """Measure what the record does not hold yet, each beside the reference network.

    Args:
        names: Keys of `BASELINES`.
        record: What is kept; of the target's conditions.
        target: What they are measured on.
        protocol: How long and how often they are timed; what is slower than its `early_stop_ms` is tried in both
            memory formats.
        report: Is told which network is being measured.

    Returns:
        The record with all rows; those that had failed were tried again.
    """
    with Progress("measuring", len(names), "network", report=report) as progress:
        for name in names:
            progress.step(0, note=name)
            measured = _steady(name, record.rows.get(name), target, protocol)
            if measured != record.rows.get(name):
                record = record.with_row(name, measured)
            progress.step(note=name)
    return record


def _steady(name: str, kept: Measured | None, target: Target, protocol: Protocol) -> Measured:
    """Return a baseline's row: the one that was kept where its network still counts the same, else a new one."""
    network = _seeded(name)
    complexity = count(network, target.lr_size)
    if kept is not None and kept.measurement is not None and kept.measurement.complexity == complexity:
        return kept
    if complexity.memory >= free_bytes(target.device):
        return Measured(problem=_too_large(complexity.memory, target.lr_size))
    try:
        return Measured(_beside_reference(network, target, protocol))
    except RuntimeError as error:
        # Out of memory, or an operator that has no kernel for this dtype here: said in the row, and the rest go on.
        return Measured(problem=one_line(error, 120))


def _seeded(name: str) -> nn.Module:
    """Build a baseline with the same weights every time."""
    torch.manual_seed(0)
    return build(name)


def _too_large(memory: int, lr_size: LrSize) -> str:
    """Return in words that a network does not fit."""
    return f"does not fit: a forward of {size_text(lr_size)} needs {memory / 1e9:.1f} GB, more than the device has left"


def _beside_reference(network: nn.Module, target: Target, protocol: Protocol) -> Measurement:
    """Measure a network in the same rounds as the reference."""
    taken = _in_rounds(network, target, protocol)
    if taken.runtime.median_ms > 2 * protocol.early_stop_ms and taken.runtime.memory_format == "contiguous":
        # Its cold run, perhaps twice as long, may have kept the measurer from trying the second format.
        other = _in_rounds(network, target, replace(protocol, memory_format="channels_last"))
        return min(taken, other, key=lambda each: each.runtime.median_ms)
    return taken


def _in_rounds(network: nn.Module, target: Target, protocol: Protocol) -> Measurement:
    networks = {_NETWORK: network, _REFERENCE: build_architecture(REFERENCE_NETWORK)}
    return measure(networks, target, protocol, reference=_REFERENCE)[_NETWORK]


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
    except RuntimeError as error:
        return replace(row, problem=one_line(error, 120))
    return replace(row, problem="", passes_ms=passes)

"""Runtimes of baselines on this device, kept network by network, so that an interrupted run goes on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from baselines import build
from baselines.frames import estimated_seconds, pass_means
from search_spaces.msrresnet import REFERENCE_NETWORK
from search_spaces.network import build as build_architecture
from sr.checkpoint import one_line
from sr.complexity import count
from sr.errors import InputError
from sr.files import write_json
from sr.latency import Conditions, Protocol, Runtime, measure_runtimes
from sr.lr_size import LrSize, parse_size, size_text
from sr.measurement import Measurement
from sr.memory import free_bytes
from sr.progress import Progress

NETWORK, REFERENCE = "network", "reference"
# The table must end: what is slower is timed three times, and what is COLD times as slow at first in one memory format.
SLOW_MS = 75.0
PROTOCOL = Protocol(seconds=1.0, minimum_runs=5, hopeless_ms=SLOW_MS, hopeless_runs=3, quiet_seconds=2.0)


@dataclass(frozen=True)
class Measured:
    """What became of a baseline on this device.

    measurement: None where it could not be measured, and `problem` says why. passes_ms: mean milliseconds per frame of
    each pass of the challenge's protocol, empty where it was not asked for or failed.
    """

    measurement: Measurement | None = None
    problem: str = ""
    passes_ms: tuple[float, ...] = ()

    @property
    def challenge_ms(self) -> float | None:
        """The runtime by the challenge's protocol: the best pass."""
        return min(self.passes_ms, default=None)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values from which `from_json` makes an equal one."""
        measurement = self.measurement.to_json() if self.measurement else None
        return {"measurement": measurement, "problem": self.problem, "passes_ms": list(self.passes_ms)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Measured":
        """Make what `to_json` described; raises TypeError or KeyError for anything else."""
        kept = values["measurement"]
        measurement = None if kept is None else Measurement.from_json(kept)
        return cls(measurement, values["problem"], tuple(values["passes_ms"]))


@dataclass(frozen=True)
class Record:
    """The rows measured under one set of conditions, by baseline, as they stand in the file `path`.

    frames: the sizes that the challenge's protocol went through; empty where it was not used.
    """

    path: Path
    conditions: Conditions
    frames: tuple[LrSize, ...]
    rows: Mapping[str, Measured] = field(default_factory=dict)

    def with_row(self, name: str, measured: Measured) -> "Record":
        """Return the record with one row more or replaced, written to its file."""
        grown = replace(self, rows={**self.rows, name: measured})
        write_json(grown.path, grown.to_json())
        return grown

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "conditions": plain(self.conditions),
            "frames": [size_text(size) for size in self.frames],
            "rows": {name: measured.to_json() for name, measured in self.rows.items()},
        }


def plain(conditions: Conditions) -> dict[str, Any]:
    """Return conditions as JSON gives them back."""
    return {**asdict(conditions), "lr_size": list(conditions.lr_size)}


def open_record(path: Path, conditions: Conditions, frames: Sequence[LrSize]) -> Record:
    """Return the record in `path`, a new one where there is none.

    frames: what the challenge's protocol is to go through; empty keeps what is there. Raises InputError where the file
    is no record, or holds rows of other conditions or frames.
    """
    if not path.exists():
        return Record(path, conditions, tuple(frames))
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        kept = content["conditions"]
        kept_frames = tuple(parse_size(text) for text in content["frames"])
        rows = {name: Measured.from_json(values) for name, values in content["rows"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, InputError) as error:
        raise InputError(f"{path} is no record of measured rows; move it away, or name another --out") from error
    for key, now in plain(conditions).items():
        if kept.get(key) != now:
            raise InputError(
                f"rows of one table share their conditions, but in {path} {key} was {kept.get(key)} and is now {now}; "
                f"name another --out"
            )
    if frames and kept_frames and kept_frames != tuple(frames):
        raise InputError(f"{path} holds runtimes over other frame sizes; give the same --lr-sizes, or another --out")
    return Record(path, conditions, tuple(frames) or kept_frames, rows)


def measure_steady(names: Sequence[str], record: Record, device: torch.device) -> Record:
    """Measure what the record does not hold yet, each beside the reference network."""
    with Progress("measuring", len(names), "network") as progress:
        for name in names:
            progress.step(0, note=name)
            measured = steady(name, record, device)
            if measured != record.rows.get(name):
                record = record.with_row(name, measured)
            progress.step(note=name)
    return record


def steady(name: str, record: Record, device: torch.device) -> Measured:
    """Return a baseline's row: the one of the record where its network still counts the same, else a new one."""
    place = record.conditions
    network = seeded(name)
    complexity = count(network, place.lr_size)
    kept = record.rows.get(name)
    if kept is not None and kept.measurement is not None and kept.measurement.complexity == complexity:
        return kept
    if complexity.memory >= free_bytes(device):
        return Measured(problem=too_large(complexity.memory, place.lr_size))
    try:
        runtime, reference_ms = beside_reference(network, device, place)
    except RuntimeError as error:
        # Out of memory, or an operator that has no kernel for this dtype here: said in the row, and the rest go on.
        return Measured(problem=one_line(error, 120))
    return Measured(Measurement(complexity, runtime, place, reference_ms))


def seeded(name: str) -> nn.Module:
    """Build a baseline with the same weights every time."""
    torch.manual_seed(0)
    return build(name)


def too_large(memory: int, lr_size: LrSize) -> str:
    """Say that a network does not fit."""
    return f"does not fit: a forward of {size_text(lr_size)} needs {memory / 1e9:.1f} GB, more than the device has left"


def beside_reference(network: nn.Module, device: torch.device, place: Conditions) -> tuple[Runtime, float]:
    """Return a network's runtime and the median of the reference in the same rounds."""
    runtimes = in_rounds(network, device, place, PROTOCOL)
    if runtimes[NETWORK].median_ms > 2 * SLOW_MS and runtimes[NETWORK].memory_format == "contiguous":
        # Its cold run, perhaps twice as long, may have kept the measurer from trying the second format.
        other = in_rounds(network, device, place, replace(PROTOCOL, memory_format="channels_last"))
        runtimes = min(runtimes, other, key=lambda taken: taken[NETWORK].median_ms)
    return runtimes[NETWORK], runtimes[REFERENCE].median_ms


def in_rounds(network: nn.Module, device: torch.device, place: Conditions, protocol: Protocol) -> dict[str, Runtime]:
    """Measure a network and the reference in turn."""
    networks = {NETWORK: network, REFERENCE: build_architecture(REFERENCE_NETWORK)}
    return measure_runtimes(networks, device, lr_size=place.lr_size, dtype=place.dtype, protocol=protocol)


def challenge_names(names: Sequence[str], record: Record) -> list[str]:
    """Return those that have a runtime and lack one by the challenge's protocol."""
    rows = {name: record.rows[name] for name in names if name in record.rows}
    return [name for name, row in rows.items() if row.measurement is not None and not row.passes_ms]


def challenge_seconds(names: Sequence[str], record: Record) -> float:
    """Return about how long the challenge's protocol will take for networks that have a steady runtime."""
    medians = [row.measurement.runtime.median_ms for name in names if (row := record.rows[name]).measurement]
    return sum(estimated_seconds(median, record.conditions.lr_size, record.frames) for median in medians)


def measure_challenge(names: Sequence[str], record: Record, device: torch.device) -> Record:
    """Add the challenge's protocol to rows that have a steady runtime and lack it."""
    with Progress("the challenge's protocol", len(names), "network") as progress:
        for name in names:
            progress.step(0, note=name)
            record = record.with_row(name, through_frames(name, record, device))
            progress.step(note=name)
    return record


def through_frames(name: str, record: Record, device: torch.device) -> Measured:
    """Return a row with the passes over the record's frames, or with the problem that they met."""
    row, network = record.rows[name], seeded(name)
    assert row.measurement is not None
    largest = max(record.frames, key=lambda size: size[0] * size[1])
    memory = count(network, largest).memory
    if memory >= free_bytes(device):
        return replace(row, problem=too_large(memory, largest))
    memory_format, dtype = row.measurement.runtime.memory_format, record.conditions.dtype
    try:
        passes = pass_means(network, device, record.frames, dtype=dtype, memory_format=memory_format)
    except RuntimeError as error:
        return replace(row, problem=one_line(error, 120))
    return replace(row, problem="", passes_ms=passes)

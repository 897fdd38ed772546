"""What was measured of each baseline, kept in a file row by row, so that an interrupted run goes on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from sr.errors import InputError
from sr.files import write_json
from sr.lr_size import LrSize, parse_size, size_text
from sr.measure.measurement import Measurement
from sr.measure.target import Conditions


@dataclass(frozen=True)
class Measured:
    """What became of a baseline on this device.

    Attributes:
        measurement: None where it could not be measured.
        problem: Why it could not; empty where it could.
        passes_ms: Mean milliseconds per frame of each pass of the challenge's protocol; empty where it was not asked
            for or failed.
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

    Attributes:
        path: The file.
        conditions: What all rows were measured on.
        frames: The sizes that the challenge's protocol went through; empty where it was not used.
        rows: What became of each baseline, by its key in `BASELINES`.
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

    def with_only(self, names: Sequence[str]) -> "Record":
        """Return the record with only the rows of these baselines; the file keeps all."""
        return replace(self, rows={name: row for name, row in self.rows.items() if name in names})

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "conditions": _plain(self.conditions),
            "frames": [size_text(size) for size in self.frames],
            "rows": {name: measured.to_json() for name, measured in self.rows.items()},
        }


def _plain(conditions: Conditions) -> dict[str, Any]:
    """Return conditions as JSON gives them back."""
    return {**asdict(conditions), "lr_size": list(conditions.lr_size)}


def open_record(path: Path, conditions: Conditions, frames: Sequence[LrSize]) -> Record:
    """Return the record in `path`, a new one where there is none.

    Args:
        path: The file.
        conditions: What its rows are to be measured on.
        frames: What the challenge's protocol is to go through; empty keeps what is there.

    Raises:
        InputError: Where the file is no record, or holds rows of other conditions or frames.
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
    for key, now in _plain(conditions).items():
        if kept.get(key) != now:
            raise InputError(
                f"rows of one table share their conditions, but in {path} {key} was {kept.get(key)} and is now {now}; "
                f"name another --out"
            )
    if frames and kept_frames and kept_frames != tuple(frames):
        raise InputError(f"{path} holds runtimes over other frame sizes; give the same --lr-sizes, or another --out")
    return Record(path, conditions, tuple(frames) or kept_frames, rows)

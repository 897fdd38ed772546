"""What single calls take on this device: milliseconds by name, measured once and remembered in a file."""

import json
import math
import os
import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sr.checkpoint import one_line, provenance
from sr.constraints import AUTO, DTYPE_NAMES
from sr.deployment import DTYPES
from sr.errors import InputError
from sr.files import StrPath, write_json
from sr.measure.device_lock import measuring_on, wait_until_idle
from sr.measure.target import Target
from sr.measure.timing import best_ms, counts_own_time
from sr.memory import is_out_of_memory
from sr.memory_format import MEMORY_FORMATS
from sr.progress import Message, Report, no_report

# A run of something: what it returns is not looked at.
Work = Callable[[], object]
Prepare = Callable[[], Work]
TimeWorks = Callable[[Sequence[Work], torch.device], list[float]]

# Works timed in the same rounds under one device lock: their tensors are held together.
BURST = 8
_SAVE_SECONDS, IDLE_SECONDS = 5.0, 1.0
# What the clock of a shared machine explains; where the anchor is slower by more, other processes are at work.
MOST_DRIFT = 1.6
ATTEMPTS = 5
# A 3x3 convolution between so many channels of a square picture with this side. On a GPU one that takes about a
# millisecond: the CPU's is over before its launch is, so that its drift would be the launch's.
_ANCHORS = {"cpu": (16, 128), "cuda": (64, 1024), "mps": (64, 512)}


@dataclass(frozen=True)
class Timings:
    """Milliseconds by name, all at the speed of the first anchor.

    Attributes:
        anchor_ms: What the anchor took when the first of them was measured; 0 before that.
        ms: The milliseconds.
    """

    anchor_ms: float = 0.0
    ms: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values from which `from_json` makes an equal one."""
        return {"anchor_ms": self.anchor_ms, "ms": dict(self.ms)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Timings":
        """Make what `to_json` described.

        Raises:
            KeyError: Where a field is missing.
            TypeError: Where one is of a wrong type.
            ValueError: Where a time is not above 0.
        """
        ms = {str(key): _positive(each) for key, each in dict(values["ms"]).items()}
        return cls(_positive(values["anchor_ms"]) if ms else 0.0, ms)


def _positive(value: object) -> float:
    """Return a finite number above 0; raises ValueError for any other value."""
    if not isinstance(value, int | float) or not (math.isfinite(value) and value > 0):
        raise ValueError(f"a time is a number above 0, got {value!r}")
    return float(value)


class TimingCache:
    """Milliseconds of works by their names, on one device in one dtype and, where given, one memory format.

    Args:
        subject: What the timings are, for messages.
        device: Where the works run.
        dtype: One of `DTYPE_NAMES`.
        path: Where the timings are remembered; None for nowhere. A file of other conditions (processor, versions,
            threads, ...), of another layout or broken is replaced, and `report` gets a line that says so.
        memory_format: A key of `sr.memory_format.MEMORY_FORMATS`; None where the works choose their own.
        engine: One of `ENGINE_NAMES`: what runs the works.
        execution: One of `EXECUTIONS`: how torch launches them on a CUDA device.
        report: Is told of what is replaced, of what cannot be kept and of a device that is busy.
        time_works: Returns the milliseconds of each of some works, run on a device.

    Raises:
        InputError: For an unknown dtype or memory format.
    """

    def __init__(
        self,
        subject: str,
        device: torch.device,
        dtype: str,
        path: StrPath | None,
        *,
        memory_format: str | None = None,
        engine: str = "torch",
        execution: str = AUTO,
        report: Report = no_report,
        time_works: TimeWorks = best_ms,
    ) -> None:
        if dtype not in DTYPE_NAMES or memory_format not in (None, *MEMORY_FORMATS):
            known = f"{', '.join(DTYPE_NAMES)} and a memory format of {', '.join(MEMORY_FORMATS)}"
            raise InputError(f"a table of {subject} has a dtype of {known}, got {dtype!r} and {memory_format!r}")
        self.subject, self.device, self.dtype, self.engine = subject, device, dtype, engine
        self.path = None if path is None else Path(path)
        self.memory_format = memory_format or "contiguous"
        self.place = place(device, dtype, memory_format, engine, execution)
        self.timings = Timings() if self.path is None else _remembered(self.path, self.place, subject, report)
        self._report, self._time_works, self.saved_at = report, time_works, time.monotonic()
        self.disturbed, self._doubtful = False, set[str]()

    def knows(self, key: str) -> bool:
        """Return whether a work was measured."""
        return key in self.timings.ms

    def ms(self, key: str) -> float:
        """Return the milliseconds of a work.

        Raises:
            KeyError: For one that was not measured.
        """
        return self.timings.ms[key]

    def measure(self, works: Mapping[str, Prepare]) -> None:
        """Measure those works that are not known yet, side by side: cheaper and more even than one by one.

        What was measured while the device was busy serves this process and is not written to the file.

        Args:
            works: By name what makes a run of it, called only shortly before it is timed.
        """
        unknown = [key for key in works if not self.knows(key)]
        for first in range(0, len(unknown), BURST):
            burst = unknown[first : first + BURST]
            times = self._in_memory([works[key] for key in burst])
            self._doubtful.update(burst if self.disturbed else ())
            self.remember(replace(self.timings, ms={**self.timings.ms, **dict(zip(burst, times, strict=True))}))

    def _in_memory(self, prepare: Sequence[Prepare]) -> list[float]:
        """Time works beside the anchor, in halves where a GPU has no room for the tensors of all at once.

        Raises:
            InputError: Where not even one has room alone.
        """
        try:
            return self.beside_anchor(prepare)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if len(prepare) == 1:
                raise InputError(
                    f"{self.device} has too little memory to time {self.subject} at this size; use a smaller --lr-size"
                ) from error
        # Outside the handler, whose traceback holds the tensors.
        half = len(prepare) // 2
        return [*self._in_memory(prepare[:half]), *self._in_memory(prepare[half:])]

    def remember(self, timings: Timings) -> None:
        """Take grown timings in; save where the last time is some seconds ago, so that no more than those are lost."""
        self.timings = timings
        if time.monotonic() - self.saved_at >= _SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        """Write the table to its file, where it has one; one that cannot be written costs a warning, once."""
        if self.path is not None:
            sure = {key: ms for key, ms in self.timings.ms.items() if key not in self._doubtful}
            content = replace(self.timings, ms=sure).to_json()
            try:
                write_json(self.path, {**self.place, "date": provenance()["date"], **content})
            except InputError as error:
                self._report(Message(f"the {self.subject} are not kept for the next run: {error}", aside=True))
                self.path = None
        self.saved_at = time.monotonic()

    def beside_anchor(self, prepare: Sequence[Prepare]) -> list[float]:
        """Time works beside the anchor.

        The speed of a shared machine drifts by a third within minutes, and a table grows over days. The anchor, always
        the same call, is timed in the same rounds; what it takes now against what it took first is the drift, and
        taking that out makes all entries of one table comparable. That holds for a slower clock alone: beside other
        processes a small work that needs all cores is slowed twenty times and a large one twice, so that then it is
        timed again, and `disturbed` is whether no attempt was free of them.

        Args:
            prepare: What makes a run of each work.

        Returns:
            The milliseconds of each work, in the time of the first anchor.

        Raises:
            InputError: Where the number of threads is not the one that the table was opened with.
        """
        if self.device.type == "cpu" and torch.get_num_threads() != self.place["threads"]:
            threads = f"{self.place['threads']} when it was opened and {torch.get_num_threads()} now"
            raise InputError(f"a table of {self.subject} has one number of threads, but {threads}; open another table")
        with measuring_on(self.device), torch.inference_mode():
            works = [self.anchor(), *(make() for make in prepare)]
            first_ms = self.timings.anchor_ms or min(self._undisturbed(works[:1])[0] for _ in range(ATTEMPTS))
            for _ in range(ATTEMPTS):
                anchor_ms, *times = self._undisturbed(works)
                if anchor_ms <= MOST_DRIFT * first_ms:
                    break
        self._take_anchor(first_ms, anchor_ms)
        drift = min(MOST_DRIFT, anchor_ms / self.timings.anchor_ms)
        return [ms / drift for ms in times]

    def _undisturbed(self, works: Sequence[Work]) -> list[float]:
        """Return the least milliseconds of each work, once other processes let go of the CPU or not in time."""
        if self.device.type == "cpu" and not counts_own_time():
            wait_until_idle(IDLE_SECONDS)
        return self._time_works(works, self.device)

    def _take_anchor(self, first_ms: float, now_ms: float) -> None:
        """Take in what the anchor took; what is known is brought to its speed where the first one was disturbed."""
        self.disturbed = now_ms > MOST_DRIFT * first_ms
        if self.disturbed:
            self._report(
                Message(f"the device is busy: {self.subject} measured now may be wrong and are not kept", aside=True)
            )
        if now_ms * MOST_DRIFT < first_ms:
            ms = {key: each * now_ms / first_ms for key, each in self.timings.ms.items()}
            self.timings, first_ms = replace(self.timings, ms=ms), now_ms
        self.timings = replace(self.timings, anchor_ms=first_ms)

    def anchor(self) -> Callable[[], Tensor]:
        """Return a run of the call that all others are timed beside."""
        channels, side = _ANCHORS.get(self.device.type, _ANCHORS["cpu"])
        picture = self.random(1, channels, side, side)
        weight, bias = self.random(channels, channels, 3, 3), self.random(channels)
        return lambda: F.conv2d(picture, weight, bias, padding=1)

    def random(self, *shape: int) -> Tensor:
        """Return numbers between -0.5 and 0.5, the same every time; pictures and filters in the memory format.

        Zeros or denormals would flatter some processors.
        """
        values = torch.rand(*shape, generator=torch.Generator().manual_seed(0)) - 0.5
        memory_format = MEMORY_FORMATS[self.memory_format if len(shape) == 4 else "contiguous"]
        # Not Tensor.contiguous: it leaves a tensor of one channel as it is, which another layer would have laid out.
        # An engine takes float32 and has its own ways with other dtypes.
        dtype = DTYPES.get(self.dtype, torch.float32) if self.engine == "torch" else torch.float32
        laid_out = torch.empty(shape, dtype=dtype, device=self.device, memory_format=memory_format)
        return laid_out.copy_(values)


def place(
    device: torch.device, dtype: str, memory_format: str | None = None, engine: str = "torch", execution: str = AUTO
) -> dict[str, Any]:
    """Return what the timings of one table share, as JSON gives it back."""
    # Each work has a size of its own.
    shared = asdict(Target(device, dtype=dtype, engine=engine, execution=execution).conditions)
    del shared["lr_size"]
    if device.type == "cuda" and execution != AUTO:
        shared["execution"] = execution
    return shared if memory_format is None else {**shared, "memory_format": memory_format}


def _remembered(path: Path, here: Mapping[str, Any], subject: str, report: Report) -> Timings:
    """Return the timings in `path` where they were measured `here`, else none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        was = {key: content[key] for key in here}
        timings = Timings.from_json(content) if "ms" in content else None
    except FileNotFoundError:
        return Timings()
    except (OSError, ValueError, TypeError, KeyError) as error:
        line = f"{path} is no table of {subject} ({one_line(error)}); they are measured anew"
        report(Message(line, aside=True))
        return Timings()
    differing = [f"{key} was {was[key]} and is now {now}" for key, now in here.items() if was[key] != now]
    if timings is None:
        differing = ["the file has the layout of an earlier version"]
    if timings is None or differing:
        report(Message(f"the {subject} in {path} are measured anew: {'; '.join(differing)}", aside=True))
        return Timings()
    return timings


def cache_path(name: str, here: Mapping[str, Any]) -> Path:
    """Return where the timings of this `place` are remembered: a file in the user's cache folder, `name` first."""
    # Everything that a user switches between has its own file; else two tables would replace each other in turn.
    words = [
        f"{here['device']} {here['threads']} threads",
        here["engine"],
        here["dtype"],
        here.get("memory_format", ""),
        here.get("execution", ""),
    ]
    text = " ".join(words).strip().lower()
    return _cache_folder() / "paretosr" / f"{name}-{re.sub(r'[^a-z0-9_]+', '-', text)}.json"


def _cache_folder() -> Path:
    """Return the user's cache folder; that of temporary files for a user who has no home, as in some containers."""
    if named := os.environ.get("XDG_CACHE_HOME"):
        return Path(named)
    try:
        return Path.home() / ".cache"
    except RuntimeError:
        return Path(tempfile.gettempdir())

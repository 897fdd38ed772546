"""What earlier searches learned of a device, kept in the user's cache folder: its latency model, its calm speed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nas.predictors.latency import LatencyPredictor
from search_spaces.architecture import Architecture
from search_spaces.fast_work import work
from sr.checkpoint import one_line
from sr.errors import InputError
from sr.files import write_json
from sr.lr_size import LrSize, size_text
from sr.measure.latency_model import USUAL, LatencyModel
from sr.measure.target import Target
from sr.measure.timing_cache import cache_path, place
from sr.progress import Message, Report, no_report


@dataclass(frozen=True)
class KnownDevice:
    """What is known of a device with one engine and precision.

    Attributes:
        model: What work costs on it.
        probes: Architectures that were measured to know it by, each with its milliseconds.
        reference_ms: By the size of the LR picture the runtime of the reference network when nothing disturbed it.
    """

    model: LatencyModel = USUAL
    probes: tuple[tuple[Architecture, float], ...] = ()
    reference_ms: Mapping[str, float] = field(default_factory=dict)

    def predictor(self, lr_size: LrSize) -> LatencyPredictor:
        """Return what predicts runtimes by all of this."""
        probed = tuple((work(each, lr_size), ms) for each, ms in self.probes)
        return LatencyPredictor(lr_size, self.model, probed=probed).learned([])

    def calm_ms(self, lr_size: LrSize) -> float | None:
        """Return the calm runtime of the reference network, None where none is known."""
        return self.reference_ms.get(size_text(lr_size))

    def with_calm(self, lr_size: LrSize, ms: float) -> "KnownDevice":
        """Return the same with a runtime of the reference network, where it is the least so far."""
        least = min(ms, self.calm_ms(lr_size) or ms)
        return replace(self, reference_ms={**self.reference_ms, size_text(lr_size): least})

    def to_json(self) -> dict[str, Any]:
        """Return JSON values from which `from_json` makes an equal one."""
        probes = [[each.to_json(), ms] for each, ms in self.probes]
        return {"model": self.model.to_json(), "probes": probes, "reference_ms": dict(self.reference_ms)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "KnownDevice":
        """Make what `to_json` described; raises InputError where a value breaks its constraint."""
        probes = tuple((Architecture.from_json(each), ms) for each, ms in values["probes"])
        return cls(LatencyModel.from_json(values["model"]), probes, dict(values["reference_ms"]))


def _place_of(target: Target) -> dict[str, Any]:
    """Return what runtimes of a target share, whatever the size of the picture."""
    return place(target.device, target.dtype, engine=target.engine, execution=target.execution)


def path_of(target: Target) -> Path:
    """Return the file in which a device is remembered with its engine and precision."""
    return cache_path("known", _place_of(target))


def recall(target: Target, report: Report = no_report) -> KnownDevice:
    """Return what is known of a target's device; nothing where another version of anything ran on it.

    Args:
        target: Its device, engine and precision.
        report: Is told where the file holds something else: then all is found out anew, and takes its place.
    """
    path, here = path_of(target), _place_of(target)
    try:
        if not path.is_file():
            return KnownDevice()
        content = json.loads(path.read_text(encoding="utf-8"))
        was = {key: content[key] for key in here}
        return KnownDevice.from_json(content) if was == json.loads(json.dumps(here)) else KnownDevice()
    except (OSError, ValueError, TypeError, KeyError, InputError) as error:
        line = f"{path} is not what an earlier search left there ({one_line(error)}); the device is measured anew"
        report(Message(line, aside=True))
        return KnownDevice()


def remember(target: Target, known: KnownDevice, report: Report = no_report) -> None:
    """Keep what is known of a target's device; where the file cannot be written `report` is told, and that is all."""
    try:
        write_json(path_of(target), _place_of(target) | known.to_json())
    except InputError as error:
        report(Message(f"what was learned of the device is not kept for the next search: {error}", aside=True))

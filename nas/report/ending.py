"""What the end of a search came to, kept in its folder so that the page can be made anew."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nas.finalize import Chosen
from search_spaces.architecture import Architecture
from sr.errors import InputError
from sr.files import write_json
from sr.measure.latency import Runtime
from sr.measure.measurement import Measurement, of_json
from sr.measure.quality import Quality

_KEPT = "ending.json"


@dataclass(frozen=True)
class Ending:
    """The network that was shipped, and what stood beside it.

    Attributes:
        number: Its trial; None where an earlier version did not keep it.
        architecture: What it is.
        measurement: Of what is shipped, with its quality.
        bicubic: The quality of bicubic interpolation on the same pictures.
        engines: Its runtime in every engine, by name.
        rivals: Hand-designed networks of the budget by name, measured in the same rounds; None where an earlier version
            did not keep them.
        rival_quality: Of those that were trained alike.
        calm_p90_ms: What nine of its runs of ten keep to at the device's calm speed, where it was never calm while the
            runtime was taken; None where it was.
        ended: When, in UTC; None where an earlier version did not keep it.
        beside: Its runtime in the rounds of the rivals; None where an earlier version did not keep it.
    """

    number: int | None
    architecture: Architecture
    measurement: Measurement
    bicubic: Quality
    engines: Mapping[str, Runtime]
    rivals: Mapping[str, Measurement] | None = None
    rival_quality: Mapping[str, Quality] = field(default_factory=dict)
    calm_p90_ms: float | None = None
    ended: datetime | None = None
    beside: Measurement | None = None

    @property
    def quality(self) -> Quality:
        """Its quality on all validation pictures."""
        assert self.measurement.quality is not None
        return self.measurement.quality

    @property
    def gain(self) -> float:
        """By how many dB over RGB it is nearer to HR than bicubic interpolation."""
        return self.quality.psnr - self.bicubic.psnr


def keep_ending(folder: Path, chosen: Chosen) -> Ending:
    """Keep in the folder of a search what its end came to, beside the files of the chosen network, and return it."""
    now = datetime.now(UTC)
    write_json(
        folder / _KEPT,
        {
            "chosen": chosen.trial.number,
            "beside": chosen.finalist.beside.to_json(),
            "rivals": {name: each.to_json() for name, each in chosen.finalist.rivals.items()},
            "rival_quality": {name: asdict(each) for name, each in chosen.rival_quality.items()},
            "calm_p90_ms": chosen.calm_p90_ms,
            "ended": now.isoformat(timespec="seconds"),
        },
    )
    return Ending(
        chosen.trial.number, chosen.trial.architecture, chosen.measurement, chosen.bicubic, chosen.engines,
        chosen.finalist.rivals, chosen.rival_quality, chosen.calm_p90_ms, now,
        chosen.finalist.beside,
    )  # fmt: skip


def read_ending(folder: Path, settings: Mapping[str, Any]) -> Ending | None:
    """Return what the end of a search came to, None where it has not ended with a network.

    Args:
        folder: Of the search.
        settings: Of its study.

    Raises:
        InputError: Where a file is not what a search leaves.
    """
    chosen = folder / "chosen"
    if not (chosen / "measurement.json").is_file() or settings.get("phase", "done") != "done":
        return None
    path = chosen / "measurement.json"
    try:
        taken = _read(path)
        bicubic, engines = of_json(Quality(**taken.pop("bicubic"))), taken.pop("engines")
        path = chosen / "architecture.json"
        architecture = Architecture.from_json(_read(path))
        path = folder / _KEPT
        kept = _read(path) if path.is_file() else None
        return Ending(
            settings.get("chosen") if kept is None else kept["chosen"],
            architecture,
            Measurement.from_json(taken),
            bicubic,
            {name: of_json(Runtime(**each)) for name, each in engines.items()},
            None if kept is None else {name: Measurement.from_json(each) for name, each in kept["rivals"].items()},
            {} if kept is None else {name: of_json(Quality(**each)) for name, each in kept["rival_quality"].items()},
            calm_p90_ms=None if kept is None else _calm_p90_ms(kept),
            ended=None if kept is None else datetime.fromisoformat(kept["ended"]),
            beside=None if kept is None or "beside" not in kept else Measurement.from_json(kept["beside"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is not what a search left there: {error}; name the folder of a search") from error


def _calm_p90_ms(kept: Mapping[str, Any]) -> float | None:
    """Return what was kept of the calm speed; infinite where an earlier version kept only that there was none."""
    if "calm_p90_ms" in kept:
        p90_ms: float | None = kept["calm_p90_ms"]
        return p90_ms
    return None if kept["was_calm"] else math.inf


def _read(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file."""
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values

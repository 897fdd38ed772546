"""The config of a calibration."""

from dataclasses import dataclass
from pathlib import Path

from nas.config.shared import SharedConfig
from sr.constraints import as_paths, at_least
from sr.files import StrPath

_FEWEST_NETWORKS = 8


@dataclass(frozen=True, kw_only=True)
class CalibrateConfig(SharedConfig):
    """A calibration of cheap scores by networks that are trained in full.

    Attributes:
        networks: How many are trained in full, at least 8 to see an order.
        steps: Of a full training.
        rungs: Of the ladder, full training too.
        workers: Trainings at once; None for as many as are fastest.
        out: Folder for the results, and for what a calibration that goes on needs. Held as a `Path`.

    Raises:
        InputError: Where a value breaks its constraint; the line names the command's flag.
    """

    networks: int = 16
    steps: int = 2000
    rungs: int = 3
    workers: int | None = None
    out: StrPath = Path("runs/calibration")

    def __post_init__(self) -> None:
        super().__post_init__()
        as_paths(self, "out")
        at_least(1, self, "steps", "rungs", "workers")
        at_least(_FEWEST_NETWORKS, self, "networks")

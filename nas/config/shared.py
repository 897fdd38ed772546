"""The config that the commands of this package share: frozen values that keep their constraints."""

import math
from dataclasses import dataclass

from search_spaces import SPACES, SearchSpace
from sr.constraints import AUTO, DTYPE_NAMES, ENGINE_NAMES, EXECUTIONS, as_paths, at_least, of_declared_types, one_of
from sr.errors import InputError
from sr.files import StrPath
from sr.lr_size import LrSize, check_size
from sr.scale import DEFAULT_SCALE, check_scale


@dataclass(frozen=True, kw_only=True)
class SharedConfig:
    """What is searched, within what budget, on which device, and what candidates are trained on.

    Attributes:
        budget_ms: Milliseconds for one LR picture that nine runs of ten must keep to.
        space: A key of `search_spaces.SPACES`.
        scale: How many times as high and wide the picture becomes, one of `sr.scale.SCALES`.
        lr_size: Height and width of that LR picture, in pixels.
        dtype: What a network is timed in: one of `DTYPE_NAMES`.
        engine: What runs it: one of `ENGINE_NAMES`, or auto for the fastest that is installed of those that run what
            is shipped.
        batch: Patches a training step; None for the device's default.
        patch: Side of the LR patches, in pixels; None for the device's default.
        data: Folder of HR pictures to train on; None for those inside scikit-image. Held as a `Path`.
        val: Folder of pictures to validate on; None for those inside scikit-image, or DIV2K's own where `data` is
            DIV2K. Held as a `Path`.
        device: auto, cpu, cuda, cuda:N or mps.
        devices: CUDA devices with commas between: networks train on all of them and are measured on the first; None
            for `device` alone.
        execution: How torch launches a network on a CUDA device: one of `EXECUTIONS`.
        seed: What everything that is drawn depends on.

    Raises:
        InputError: Where a value breaks its constraint; the line names the command's flag.
    """

    budget_ms: float
    space: str = "msrresnet"
    scale: int = DEFAULT_SCALE
    lr_size: LrSize = (256, 256)
    dtype: str = "float32"
    engine: str = "auto"
    batch: int | None = None
    patch: int | None = None
    data: StrPath | None = None
    val: StrPath | None = None
    device: str = AUTO
    devices: str | None = None
    execution: str = AUTO
    seed: int = 0

    def __post_init__(self) -> None:
        of_declared_types(self)
        as_paths(self, "data", "val")
        if not (math.isfinite(self.budget_ms) and self.budget_ms > 0):
            raise InputError(f"--budget-ms must be a number of milliseconds over zero, got {self.budget_ms!r}")
        one_of(self, "space", tuple(sorted(SPACES)))
        check_scale(self.scale)
        one_of(self, "dtype", DTYPE_NAMES)
        one_of(self, "engine", (AUTO, *ENGINE_NAMES))
        one_of(self, "execution", EXECUTIONS)
        if self.devices is not None and self.device != AUTO:
            raise InputError(f"--device and --devices exclude each other, got {self.device} and {self.devices}")
        check_size(self.lr_size)
        at_least(1, self, "batch", "patch")

    @property
    def search_space(self) -> SearchSpace:
        """The space, at the scale."""
        return SPACES[self.space].at_scale(self.scale)

    @property
    def measured_on(self) -> str:
        """The device that networks are measured on, by its name."""
        return self.device if self.devices is None else self.devices.partition(",")[0].strip()

"""What the commands here are asked for, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sr.constraints import AUTO, DTYPE_NAMES, ENGINE_NAMES, EXECUTIONS, as_paths, flag, one_of
from sr.errors import InputError
from sr.lr_size import LrSize
from sr.scale import DEFAULT_SCALE, check_scale

# What stands for engines: the fastest of those that run what is shipped, and every one that is installed.
ALL = "all"


@dataclass(frozen=True)
class TableConfig:
    """What is counted and measured for the challenge's tables.

    Attributes:
        systems: Only these, by system or by baseline, in any case; None for all.
        counts_only: Whether nothing is measured.
        device: auto, cpu, cuda or cuda:N.
        lr_size: Height and width of the LR picture that runtimes are for.
        dtype: One of `DTYPE_NAMES`.
        execution: One of `EXECUTIONS`: how torch launches them on a CUDA device.
        engine: What runs the networks: names of `ENGINE_NAMES`, which are timed in the same rounds and compared; or
            `AUTO` or `ALL` alone.
        challenge: Whether the challenge's own protocol is gone through too.
        frames: A CSV of width,height: the frames of that protocol; None for DIV2K's 100 test pictures.
        out: Folder of the record of what was measured.
        html: Where the page is written; None for nowhere.
        json: Where the figures are written; None for nowhere.

    Raises:
        InputError: Where the dtype or an engine is none, or a page is asked for and nothing is measured.
    """

    systems: tuple[str, ...] | None = None
    counts_only: bool = False
    device: str = "auto"
    lr_size: LrSize = (256, 256)
    dtype: str = "float32"
    execution: str = AUTO
    engine: tuple[str, ...] = (AUTO,)
    challenge: bool = False
    frames: Path | None = None
    out: Path = Path("runs/table")
    html: Path | None = None
    json: Path | None = None

    def __post_init__(self) -> None:
        as_paths(self, "frames", "out", "html", "json")
        one_of(self, "dtype", DTYPE_NAMES)
        one_of(self, "execution", EXECUTIONS)
        named = set(self.engine) <= set(ENGINE_NAMES) and len(self.engine) == len(set(self.engine))
        if not self.engine or not (named or self.engine in ((AUTO,), (ALL,))):
            raise InputError(
                f"--engine must be {AUTO}, {ALL}, or of {', '.join(ENGINE_NAMES)} with commas between, each once; got "
                f"{','.join(self.engine)!r}"
            )
        if self.counts_only and self.html:
            raise InputError("--html draws runtimes, and --counts-only measures none; leave one of them out")

    def record(self, engine: str) -> Path:
        """Return the file that keeps what was measured in an engine."""
        return self.out / f"rows-{engine}.json"


@dataclass(frozen=True)
class TrainConfig:
    """A training of a baseline.

    Attributes:
        name: A key of `BASELINES`.
        out: The checkpoint to write.
        config: What replaces the defaults of the network's constructor, without its scale.
        steps: Of all stages together.
        batch: Patches a step, in every stage; None for those of the recipe.
        patch: Side of the LR patches, in every stage; None for that of the recipe.
        learning_rate: In every stage; None for that of the recipe.
        data: Folder of HR pictures to train on; None for those inside scikit-image.
        val: Folder of HR pictures to validate on; None for those inside scikit-image.
        device: auto, cpu, cuda or cuda:N.
        seed: Of the network's first weights and of the patches.
        resume: Whether to go on with a training that was interrupted.
        json: Where the figures are written; None for nowhere.
        scale: How many times the network enlarges.

    Raises:
        InputError: Where a number is not over 0, or the scale is none or is said twice.
    """

    name: str
    out: Path
    config: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 10_000
    batch: int | None = None
    patch: int | None = None
    learning_rate: float | None = None
    data: Path | None = None
    val: Path | None = None
    device: str = "auto"
    seed: int = 0
    resume: bool = False
    json: Path | None = None
    scale: int = DEFAULT_SCALE

    def __post_init__(self) -> None:
        as_paths(self, "out", "data", "val", "json")
        check_scale(self.scale)
        if "scale" in self.config:
            raise InputError(
                f"--scale says how many times a network enlarges, not --config scale={self.config['scale']}"
            )
        for name in ("steps", "batch", "patch", "learning_rate"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"{flag(name)} must be over 0, got {value}")

    @property
    def network(self) -> dict[str, Any]:
        """The network's config with its scale, as `build` takes it and a checkpoint holds it."""
        return dict(self.config) if self.scale == DEFAULT_SCALE else {**self.config, "scale": self.scale}

    @property
    def overrides(self) -> dict[str, Any]:
        """The fields of every stage's recipe that are replaced."""
        given = {name: getattr(self, name) for name in ("batch", "patch", "learning_rate")}
        return {name: value for name, value in given.items() if value is not None} | {"seed": self.seed}


@dataclass(frozen=True)
class ConvertConfig:
    """A conversion of official weights.

    Attributes:
        name: A key of `BASELINES` whose official parameter names are known.
        weights: The file that the authors published.
        out: The checkpoint to write.
        scale: How many times they enlarge; None to find it by their shapes.

    Raises:
        InputError: Where the scale is none.
    """

    name: str
    weights: Path
    out: Path
    scale: int | None = None

    def __post_init__(self) -> None:
        as_paths(self, "weights", "out")
        if self.scale is not None:
            check_scale(self.scale)

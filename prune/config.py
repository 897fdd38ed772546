"""What a pruning may be asked for, and the constraints on it; imports nothing heavy."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from prune.planning.time_plan import DEFAULT_SECONDS
from sr.constraints import DTYPE_NAMES, ENGINE_NAMES, EXECUTIONS, as_paths, at_least, flag, of_declared_types, one_of
from sr.errors import InputError
from sr.files import StrPath
from sr.lr_size import LrSize, check_size

Metric = Literal["params", "multi_adds", "activations", "runtime"]
METRICS: tuple[Metric, ...] = get_args(Metric)
# How kept channels of one tensor lie: each convolution by its own order, by a blend of its own and a common one, or all
# by the common one.
ChannelOrder = Literal["independent", "blended", "shared"]
CHANNEL_ORDERS: tuple[ChannelOrder, ...] = get_args(ChannelOrder)
MethodName = Literal["per-layer", "group", "magnitude"]
METHODS: tuple[MethodName, ...] = get_args(MethodName)
# Our own, which chooses for every side of every convolution by itself; the others choose among coupled groups.
PER_LAYER: MethodName = "per-layer"
_LimitKind = Literal["ratio", "budget"]


@dataclass(frozen=True, kw_only=True)
class PruneConfig:
    """What a pruning is asked for.

    Attributes:
        targets: What to bring down.
        ratio: To this share of the dense network's, one number per target or one for all; 0.5 where neither a ratio,
            a budget nor a PSNR is given.
        budget: Or to this many; runtime in milliseconds.
        psnr_floor: Or as far as the PSNR on `val` (dB, RGB) stays above this before fine-tuning.
        channel_orders: How kept channels of one tensor lie, for the method "per-layer"; each is a result of its own.
        methods: Those that are compared.
        subpixels: Gate the channels before a pixel shuffle one by one.
        time_limit: Seconds for all of it; None or infinity for no limit. It plans what is left out of the next four.
        rounds: How many of a tick and a tock; None for what the time allows, as in the next three.
        tick_steps: To score the gates.
        tock_steps: To train what is left.
        fine_tune_steps: Of every network at the end, the dense one too; 0 for none.
        distillation: The share of the dense network in what is learnt from, 0 to 1.
        batch: Patches a step.
        patch: The side of the LR patches, in pixels.
        learning_rate: At its highest.
        lr_size: Height and width of the LR picture that runtimes are for.
        dtype: In which networks run.
        engine: What runs them: one of `ENGINE_NAMES`, or auto for the fastest that is installed.
        data: The folder of HR pictures to train on; None for those inside scikit-image.
        val: The folder of pictures to validate on; None for those inside scikit-image.
        out: The folder for the results.
        device: Where networks run: auto, cpu, cuda, cuda:N or mps.
        execution: How torch launches them on a CUDA device: one of `EXECUTIONS`.
        seed: All that is drawn depends on it.
        resume: Go on with what lies in `out`.

    Raises:
        InputError: Where a value breaks its constraint.
    """

    targets: tuple[Metric, ...] = ("runtime",)
    ratio: float | tuple[float, ...] | None = None
    budget: float | tuple[float, ...] | None = None
    psnr_floor: float | None = None
    channel_orders: tuple[ChannelOrder, ...] = ("shared",)
    methods: tuple[MethodName, ...] = METHODS
    subpixels: bool = False
    time_limit: float | None = DEFAULT_SECONDS
    rounds: int | None = None
    tick_steps: int | None = None
    tock_steps: int | None = None
    fine_tune_steps: int | None = None
    distillation: float = 0.0
    batch: int = 8
    patch: int = 32
    learning_rate: float = 1e-3
    lr_size: LrSize = (256, 256)
    dtype: str = "float32"
    engine: str = "auto"
    data: StrPath | None = None
    val: StrPath | None = None
    out: StrPath = Path("runs/pruned")
    device: str = "auto"
    execution: str = "auto"
    seed: int = 0
    resume: bool = False

    def __post_init__(self) -> None:
        of_declared_types(self)
        as_paths(self, "data", "val", "out")
        check_size(self.lr_size)
        _check_names("--target", self.targets, METRICS)
        _check_names("--channel-order", self.channel_orders, CHANNEL_ORDERS)
        _check_names("--methods", self.methods, METHODS)
        one_of(self, "dtype", DTYPE_NAMES)
        one_of(self, "engine", ("auto", *ENGINE_NAMES))
        one_of(self, "execution", EXECUTIONS)
        if sum(each is not None for each in (self.ratio, self.budget, self.psnr_floor)) > 1:
            raise InputError("--ratio, --budget and --psnr-floor exclude each other; give one")
        if self.psnr_floor is not None and not math.isfinite(self.psnr_floor):
            raise InputError(f"--psnr-floor must be a number of dB, got {self.psnr_floor}")
        self._check_limits()
        if self.time_limit is not None and not self.time_limit > 0:
            raise InputError(f"--time-limit must be over zero seconds, or none, got {self.time_limit}")
        for name in ("rounds", "tick_steps", "tock_steps", "batch", "patch", "learning_rate"):
            if getattr(self, name) is not None and not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{flag(name)} must be over 0, got {getattr(self, name)}")
        at_least(0, self, "fine_tune_steps")
        if not 0 <= self.distillation <= 1:
            raise InputError(f"--distillation must be within 0 and 1, got {self.distillation}")

    @property
    def folder(self) -> Path:
        """The folder for the results, as a path."""
        return Path(self.out)

    @property
    def seconds(self) -> float:
        """Seconds that all of it may take; infinite for no limit."""
        return math.inf if self.time_limit is None else self.time_limit

    @property
    def limits(self) -> dict[Metric, tuple[_LimitKind, float]]:
        """Per target whether a share or an amount is asked for, and how much."""
        kind, numbers = self._numbers()
        return {metric: (kind, number) for metric, number in zip(self.targets, numbers, strict=True)}

    def _numbers(self) -> tuple[_LimitKind, tuple[float, ...]]:
        """Return what limits are given as, and the number of each target."""
        kind: _LimitKind = "ratio" if self.budget is None else "budget"
        given = self.budget if self.budget is not None else self.ratio if self.ratio is not None else 0.5
        numbers = given if isinstance(given, tuple) else (given,)
        return kind, numbers * len(self.targets) if len(numbers) == 1 else numbers

    def _check_limits(self) -> None:
        """Raise InputError where there is no number per target, or one that no network can come to."""
        kind, numbers = self._numbers()
        most = 1.0 if kind == "ratio" else math.inf
        if len(numbers) != len(self.targets) or not all(0 < number < most for number in numbers):
            constraint = "over 0 and under 1" if kind == "ratio" else "over 0"
            raise InputError(
                f"--{kind} takes one number per target, {constraint}; got {', '.join(map(str, numbers))} for "
                f"{', '.join(self.targets)}"
            )


def _check_names(name: str, given: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    """Raise InputError where there is no name, one that is none, or one twice."""
    if not given or len(set(given)) < len(given) or not set(given) <= set(allowed):
        raise InputError(f"{name} takes each once, of {', '.join(allowed)}; got {', '.join(given) or 'none'}")

"""What all methods share: the dense network, its costs on the device, the limits, the pictures."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from torch import Tensor, nn

from prune.asked import check_pictures
from prune.config import Metric, PruneConfig
from prune.graph.groups import Group
from prune.graph.liveness import channel_liveness
from prune.graph.plan import Kept, Plan
from prune.graph.tracing import Graph
from prune.network import opened
from prune.outcomes import DENSE
from prune.planning.time_plan import Steps
from prune.rewrite.execution import Measurer
from prune.rewrite.surgery import slim
from prune.scoring.schedule import Schedule
from prune.scoring.sites import gate_sites
from prune.selection.costs import Costs
from prune.selection.latency_steps import CostTable, default_path
from sr.checkpoint import Description, load
from sr.data.manifest import Manifest
from sr.data.pairs import Pairs, fitting_patch, on_device
from sr.data.sources import load_set
from sr.errors import InputError
from sr.measure.engine_choice import with_engine
from sr.measure.engines.engine import Runner
from sr.measure.engines.registry import engine_of
from sr.measure.latency import Protocol, measure_runtimes
from sr.measure.target import Target
from sr.measure.timing import best_ms
from sr.measure.timing_cache import TimeWorks
from sr.progress import Message, Report, no_report
from sr.training.recipe import Recipe

# Training pictures with a smaller LR side are left out.
_SMALLEST_SIDE, _SMALLEST_VALIDATION_SIDE = 32, 16
# With a floor for the PSNR each round may cost this share of the one before, and there are at most so many.
FLOOR_STEP, FLOOR_ROUNDS = 0.9, 20
_FIRST, _SIDE_BY_SIDE = Protocol(seconds=1.5, minimum_runs=6), Protocol(seconds=6.0, minimum_runs=12)


@dataclass(frozen=True)
class Timing:
    """How networks and parts of them are timed.

    Attributes:
        first: The dense network, before anything is pruned.
        side_by_side: All networks, at the end.
        time_works: Convolutions and other works: their milliseconds on a device.
    """

    first: Protocol = _FIRST
    side_by_side: Protocol = _SIDE_BY_SIDE
    time_works: TimeWorks = best_ms


@dataclass(frozen=True)
class Setup:
    """What all methods share.

    Attributes:
        graph: The dense network; its weights are `tensors` when a method begins.
        tensors: Its weights.
        kept: What an earlier pruning left.
        costs: Of plans of it.
        limits: The most that the result may cost, `runtime` as a share of the dense network's.
        schedule: The rounds.
        train: What is learnt from.
        val: What the quality is judged on; its scale is the network's.
        target: What the result is to be fast on.
        measurer: What times on it.
        psnr_floor: Where one is given, rounds go on until the network with masks is worse than that on `val` (dB, RGB);
            limits are then steps.
        subpixels: Whether the channels before a pixel shuffle are gated one by one.
        plans_measured: How many plans, at most, each method is measured by to come to a runtime.
        timing: How networks and parts of them are timed.
        dense_ms: What the dense network takes for one picture.
        autotuned: The precision and the memory format to train in, where they are known.
        manifests: Which files `train` and `val` are, by these names.
        report: Is told what goes on.
    """

    graph: Graph
    tensors: Mapping[str, Tensor]
    kept: Mapping[str, Kept]
    costs: Costs
    limits: Mapping[Metric, float]
    schedule: Schedule
    train: Pairs
    val: Pairs
    target: Target
    measurer: Measurer
    psnr_floor: float | None = None
    subpixels: bool = False
    plans_measured: int = 6
    timing: Timing = Timing()
    dense_ms: float = 0.0
    autotuned: Mapping[str, str] = field(default_factory=dict)
    manifests: Mapping[str, Manifest] = field(default_factory=dict)
    report: Report = no_report

    def dense(self) -> nn.Module:
        """Return the dense network with the weights that all methods begin with, ready to run."""
        self.graph.module.load_state_dict(self.tensors)
        return slim(self.graph, Plan(self.kept, {}, {}))

    @cached_property
    def sites(self) -> tuple[Group, ...]:
        """Where the gates stand."""
        return gate_sites(self.graph, subpixels=self.subpixels)

    @cached_property
    def dense_runner(self) -> Runner:
        """The dense network, ready to run in the target's engine: its runtime is asked for again and again."""
        return self._runner(self.dense(), self.measurer.memory_format)

    def runners(self, network: nn.Module) -> tuple[Runner, ...]:
        """Return a network ready to run on one picture, as the result will be, in each format that it may run in."""
        return tuple(self._runner(network, each) for each in engine_of(self.target).memory_formats)

    def _runner(self, network: nn.Module, memory_format: str) -> Runner:
        return engine_of(self.target).prepare(network, self.target, memory_format=memory_format, any_weights=True)

    @cached_property
    def before(self) -> Mapping[Metric, float]:
        """What the network costs before it is pruned, after an earlier pruning; by each limited metric."""
        liveness = channel_liveness(self.graph, self.kept)
        # The dense costs measure all that a plan may ask for at once; counts need no measuring.
        metrics = self.costs.dense if "runtime" in self.limits else self.limits
        return {metric: self.costs.of(liveness, metric) for metric in metrics}


def set_up(
    checkpoint: Path, config: PruneConfig, report: Report, timing: Timing, *, calibrated: bool = True
) -> tuple[Description, Setup]:
    """Load the network and the pictures of its scale, and measure what is to be brought down.

    Args:
        checkpoint: The network, dense or pruned before.
        config: What is asked for.
        report: Is told what goes on.
        timing: How networks and parts of them are timed.
        calibrated: Whether what steps take is measured and remembered, where a runtime is to be brought down.

    Returns:
        The description of the dense network, and what all methods share.

    Raises:
        InputError: Where a file is not as it should be, the network is within its limits already, or what is to go on
            was begun with other pictures.
    """
    target = Target.of(config.device, config.lr_size, config.dtype, execution=config.execution, report=report)
    target = with_engine(target, config.engine, report=report)
    loaded = load(checkpoint)
    try:
        description, graph, kept = opened(loaded)
        sites = gate_sites(graph, subpixels=config.subpixels)
    except InputError as error:
        raise InputError(f"{checkpoint}: {error}") from error
    scale = loaded.description.scale
    train_set = load_set(config.data, "train", minimum_lr_side=_SMALLEST_SIDE, report=report, scale=scale)
    fitting_patch(train_set.pairs, config.patch, report)
    val_set = load_set(config.val, "val", minimum_lr_side=_SMALLEST_VALIDATION_SIDE, report=report, scale=scale)
    manifests = {"train": train_set.manifest, "val": val_set.manifest}
    check_pictures(config, {name: each.identity for name, each in manifests.items()})
    train, val = on_device(train_set.pairs, target.device), val_set.pairs
    dense = slim(graph, Plan(kept, {}, {}))
    runtime = measure_runtimes({DENSE: dense}, target, timing.first)[DENSE]
    report(Message(f"{checkpoint}: {len(graph.convs())} convolutions, {sum(site.units for site in sites):,} gates; "
                   f"{runtime.median_ms:.1f} ms dense in {target.engine}, {runtime.precision}, "
                   f"{runtime.memory_format}"))  # fmt: skip
    # Steps in 8 bits would each be quantised, which takes seconds: they are planned by what they take in floats.
    planned = replace(target, dtype="float32") if target.dtype == "int8" else target
    path = default_path(planned, runtime.memory_format)
    table = CostTable(planned, runtime.memory_format, path, report, timing.time_works)
    costs, measurer = Costs(graph, target.lr_size, table), Measurer(planned, runtime.memory_format, timing.time_works)
    if "runtime" in config.targets and calibrated:
        liveness = channel_liveness(graph, kept)
        if unknown := table.unknown(costs.grid(liveness)):
            report(Message(f"measuring what {unknown} steps take in {target.engine}: once for this device"))
        costs = costs.calibrated(liveness, lambda: measurer.upscaling(dense))
        table.save()
    tensors = {name: tensor.clone() for name, tensor in graph.module.state_dict().items()}
    return description, Setup(
        graph, tensors, kept, costs, _limits(config, costs, kept, runtime.median_ms), _schedule(config), train, val,
        target, measurer, config.psnr_floor, config.subpixels, timing=timing, dense_ms=runtime.median_ms,
        manifests=manifests, report=report,
    )  # fmt: skip


def fine_tuning(config: PruneConfig, train: Pairs, steps: int, autotuned: Mapping[str, str]) -> Recipe | None:
    """Return how every network is trained on at the end, None for not at all.

    Args:
        config: What is asked for.
        train: What is learnt from.
        steps: How many.
        autotuned: The precision and the memory format to train in; none where they are to be found.
    """
    if not steps:
        return None
    return Recipe(
        steps=steps, batch=config.batch, patch=fitting_patch(train, config.patch),
        learning_rate=config.learning_rate, distillation=config.distillation, seed=config.seed,
        precision=autotuned.get("precision", "fastest"), memory_format=autotuned.get("memory_format", "fastest"),
    )  # fmt: skip


def asked_steps(config: PruneConfig) -> dict[str, int]:
    """Return what is asked for of `Steps`, by name: what is left out is planned."""
    # With a floor there are as many rounds as it takes.
    rounds = config.rounds if config.psnr_floor is None else FLOOR_ROUNDS
    asked = {"rounds": rounds, "tick": config.tick_steps, "tock": config.tock_steps,
             "fine_tune": config.fine_tune_steps}  # fmt: skip
    return {name: number for name, number in asked.items() if number is not None}


def _schedule(config: PruneConfig) -> Schedule:
    """Return the rounds that are asked for, those of a plan without a limit where they are left out."""
    steps = Steps(**asked_steps(config))
    return Schedule(
        rounds=steps.rounds, tick_steps=steps.tick, tock_steps=steps.tock, batch=config.batch, patch=config.patch,
        learning_rate=config.learning_rate, tick_learning_rate=config.learning_rate / 20,
        distillation=config.distillation, seed=config.seed,
    )  # fmt: skip


def _limits(config: PruneConfig, costs: Costs, kept: Mapping[str, Kept], dense_ms: float) -> dict[Metric, float]:
    """Return the limits as Setup has them; raises InputError where the network is within them already."""
    limits: dict[Metric, float] = {}
    liveness = channel_liveness(costs.graph, kept)
    for metric, (kind, number) in config.limits.items():
        dense = dense_ms if metric == "runtime" else costs.of(liveness, metric)
        limit = number * dense if kind == "ratio" else number
        if config.psnr_floor is not None:
            limit = dense * FLOOR_STEP**FLOOR_ROUNDS
        if limit >= dense:
            raise InputError(f"the network is within its limit already: {metric} is {dense:g}, the limit {limit:g}")
        limits[metric] = limit / dense if metric == "runtime" else limit
    return limits

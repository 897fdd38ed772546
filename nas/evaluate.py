"""What a candidate costs: counted, and measured alone on the device."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import torch
from torch import nn

from baselines.at_budget import Size
from nas.target_node import TargetNode
from nas.trial import State, Trial
from search_spaces.architecture import Architecture
from search_spaces.network import build
from sr.data.pairs import Pairs
from sr.errors import InputError
from sr.executors.executor import Executor, WorkerDiedError
from sr.measure.complexity import count
from sr.measure.latency import Protocol
from sr.measure.measurement import Measurement, measure
from sr.measure.target import Conditions, Target
from sr.memory import fits, is_out_of_memory
from sr.training.recipe import Recipe

P = ParamSpec("P")
T = TypeVar("T")

# The name of the network that is timed in the same rounds as every candidate.
REFERENCE = "reference"


@dataclass(frozen=True)
class Setup:
    """What all candidates of a study share.

    Attributes:
        budget_ms: Milliseconds for one LR picture that the p90 of a runtime must keep to.
        target: What runtimes are for.
        recipe: That of a full training.
        train: Pairs to train on, on the target's device where they fit; their scale is that of the study.
        val: What the short trainings are judged on, on the target's device.
        reference: Timed in the same rounds as each candidate: what a device is compared with itself by, so that it is
            the same network at every scale.
        pictures: What `train` and `val` were made from: `Manifest.identity` of each.
        devices: Those that networks train on, the target's first; empty for that alone.
        measurer: What measures where the target is a node of a cluster; None where it is this machine.
        node: That node; None likewise.
    """

    budget_ms: float
    target: Target
    recipe: Recipe
    train: Pairs
    val: Pairs
    reference: Architecture
    pictures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    devices: tuple[torch.device, ...] = ()
    measurer: "Executor[Setup] | None" = None
    node: TargetNode | None = None

    @property
    def scale(self) -> int:
        """How many times as high and wide pictures become."""
        return self.train.scale

    @property
    def trainable_reference(self) -> Architecture:
        """The reference at the scale of the pictures: how a device trains is found out by it."""
        return replace(self.reference, scale=self.scale)

    @property
    def conditions(self) -> Conditions:
        """What runtimes depend on where they are measured."""
        return self.target.conditions if self.node is None else self.node.conditions

    @property
    def is_measured_elsewhere(self) -> bool:
        """Return whether what is known of this machine says nothing of the one that measures."""
        return self.node is not None and self.node.conditions != self.target.conditions


def cost_candidate(number: int, architecture: Architecture, setup: Setup, protocol: Protocol) -> Trial:
    """Return a candidate that was counted and measured: `measured`, whatever it took, or `failed` with the reason."""
    began = time.monotonic()
    try:
        return on_target(setup, _cost_here, number, architecture, protocol)
    except WorkerDiedError as error:
        return Trial(number, architecture, "failed", None, str(error), time.monotonic() - began)


def _cost_here(setup: Setup, number: int, architecture: Architecture, protocol: Protocol) -> Trial:
    """Count and measure a candidate on this machine."""
    began = time.monotonic()

    def ended(state: State, measurement: Measurement | None, reason: str = "") -> Trial:
        return Trial(number, architecture, state, measurement, reason, time.monotonic() - began)

    complexity = count(build(architecture), setup.target.lr_size)
    if not fits(complexity.memory, setup.target.device, setup.target.dtype):
        return ended("failed", None, f"a forward needs {complexity.memory / 1e9:.1f} GB, more than the device has left")
    try:
        measurement = measure_candidate(architecture, setup, protocol)
    except InputError as error:
        # The engine lacks an operator.
        return ended("failed", None, str(error))
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return ended("failed", None, "the device has too little memory for this network")
    return ended("measured", measurement)


def measure_candidate(architecture: Architecture, setup: Setup, protocol: Protocol) -> Measurement:
    """Return the runtime of an architecture beside the reference, with its counts and without quality."""
    networks = {"candidate": architecture, REFERENCE: setup.reference}
    limited = replace(protocol, early_stop_ms=1.5 * setup.budget_ms)
    return measure_untrained(networks, setup, limited, reference=REFERENCE)["candidate"]


def measure_untrained(
    described: Mapping[str, Architecture | Size], setup: Setup, protocol: Protocol, *, reference: str | None = None
) -> dict[str, Measurement]:
    """Measure networks as `sr.measure.measurement.measure` does, by their descriptions, where the target is."""
    return on_target(setup, _measure_here, described, protocol, reference)


def _measure_here(
    setup: Setup, described: Mapping[str, Architecture | Size], protocol: Protocol, reference: str | None
) -> dict[str, Measurement]:
    """Measure networks on this machine."""
    return measure(
        {name: _built(each) for name, each in described.items()}, setup.target, protocol, reference=reference
    )


def _built(described: Architecture | Size) -> nn.Module:
    return described.build() if isinstance(described, Size) else build(described)


def on_target(setup: Setup, work: Callable[Concatenate[Setup, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do work where networks are measured: here, or on the target's node, which is given the setup without pictures.

    Raises:
        TargetChangedError: Where the node is no longer the one that the study measures on.
    """
    if setup.measurer is None or setup.node is None:
        return work(setup, *args, **kwargs)
    return cast("T", setup.measurer.submit(_if_unchanged, setup.node, work, args, kwargs).result())


def _if_unchanged(
    setup: Setup, node: TargetNode, work: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, Any]
) -> object:
    """Do work on a node that measures, where it is the same as before: after it died another may have its place."""
    node.check(setup.target)
    return work(setup, *args, **kwargs)

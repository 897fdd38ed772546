"""What a candidate costs: counted, and measured alone on the device."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from nas.trial import State, Trial
from search_spaces.architecture import Architecture
from search_spaces.network import build
from sr.data.pairs import Pairs
from sr.errors import InputError
from sr.measure.complexity import count
from sr.measure.latency import Protocol
from sr.measure.measurement import Measurement, measure
from sr.measure.target import Target
from sr.memory import fits, is_out_of_memory
from sr.training.recipe import Recipe

# The name of the network that is timed in the same rounds as every candidate.
REFERENCE = "reference"


@dataclass(frozen=True)
class Setup:
    """What all candidates of a study share.

    Attributes:
        budget_ms: Milliseconds for one LR picture that the p90 of a runtime must keep to.
        target: What runtimes are for.
        recipe: That of a full training.
        train: Pairs to train on, on the target's device where they fit.
        val: What the short trainings are judged on, on the target's device.
        reference: Timed in the same rounds as each candidate.
        pictures: What `train` and `val` were made from: `Manifest.identity` of each.
        devices: Those that networks train on, the target's first; empty for that alone.
    """

    budget_ms: float
    target: Target
    recipe: Recipe
    train: Pairs
    val: Pairs
    reference: Architecture
    pictures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    devices: tuple[torch.device, ...] = ()


def cost_candidate(number: int, architecture: Architecture, setup: Setup, protocol: Protocol) -> Trial:
    """Return a candidate that was counted and measured: `measured`, whatever it took, or `failed` with the reason."""
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
    networks = {"candidate": build(architecture), REFERENCE: build(setup.reference)}
    limited = replace(protocol, early_stop_ms=1.5 * setup.budget_ms)
    return measure(networks, setup.target, limited, reference=REFERENCE)["candidate"]

"""What a candidate costs: counted, and measured alone on the device. Over the budget it is never trained."""

import time
from dataclasses import dataclass, replace

import torch

from nas.trial import State, Trial
from search_spaces.architecture import Architecture
from search_spaces.network import build
from sr.complexity import Complexity, count
from sr.latency import Protocol, conditions, measure_runtimes
from sr.lr_size import LrSize
from sr.measurement import Measurement
from sr.memory import free_bytes
from sr.pairs import Pairs
from sr.recipe import Recipe

REFERENCE = "reference"
# How candidates are timed.
COST = Protocol(seconds=0.5)


@dataclass(frozen=True)
class Setup:
    """What all candidates of a study share.

    reference: timed in the same rounds as each candidate. train and val lie on `device`; val is what the short
    trainings are judged on.
    """

    budget_ms: float
    device: torch.device
    lr_size: LrSize
    dtype: str
    recipe: Recipe
    train: Pairs
    val: Pairs
    reference: Architecture


def cost_candidate(number: int, architecture: Architecture, setup: Setup) -> Trial:
    """Return a candidate that was counted and measured: `measured`, or `infeasible` or `failed` with the reason."""
    began = time.monotonic()

    def ended(state: State, measurement: Measurement | None, reason: str = "") -> Trial:
        return Trial(number, architecture, state, measurement, reason, time.monotonic() - began)

    complexity = count(build(architecture), setup.lr_size)
    if not fits(complexity, setup.device):
        return ended("failed", None, f"a forward needs {complexity.memory / 1e9:.1f} GB, more than the device has left")
    try:
        measurement = measure_cost(architecture, complexity, setup)
    except torch.OutOfMemoryError:
        return ended("failed", None, "the device has too little memory for this network")
    if not measurement.within(setup.budget_ms):
        return ended("infeasible", measurement, over_budget(measurement, setup.budget_ms))
    return ended("measured", measurement)


def fits(complexity: Complexity, device: torch.device) -> bool:
    """Tell whether a forward is likely to find memory; on a CPU the system would kill the process instead."""
    return complexity.memory < free_bytes(device)


def measure_cost(architecture: Architecture, complexity: Complexity, setup: Setup) -> Measurement:
    """Return the runtime of an architecture beside the reference, with its counts and without quality."""
    protocol = replace(COST, hopeless_ms=1.5 * setup.budget_ms)
    networks = {"candidate": build(architecture), REFERENCE: build(setup.reference)}
    runtimes = measure_runtimes(networks, setup.device, lr_size=setup.lr_size, dtype=setup.dtype, protocol=protocol)
    return Measurement(
        complexity=complexity,
        runtime=runtimes["candidate"],
        conditions=conditions(setup.device, setup.lr_size, setup.dtype),
        reference_ms=runtimes[REFERENCE].median_ms,
    )


def over_budget(measurement: Measurement, budget_ms: float) -> str:
    """Say by how much a candidate misses the budget."""
    runtime = measurement.runtime
    return f"{runtime.median_ms:.1f} ms (p90 {runtime.p90_ms:.1f}) is over the budget of {budget_ms:g} ms"

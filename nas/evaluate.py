"""One candidate: count, measure alone on the device, and only within the budget train and judge."""

import time
from dataclasses import dataclass, replace

import torch

from nas.trial import State, Trial
from search_spaces.architecture import Architecture
from search_spaces.network import build
from sr.complexity import Complexity, count
from sr.deployment import in_dtype
from sr.latency import Protocol, conditions, measure_runtimes
from sr.lr_size import LrSize
from sr.measurement import Measurement
from sr.memory import free_bytes
from sr.pairs import Pairs
from sr.quality import evaluate
from sr.recipe import Recipe
from sr.training import TrainingFailedError, fit

REFERENCE = "reference"


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


def evaluate_candidate(number: int, architecture: Architecture, setup: Setup) -> Trial:
    """Return what became of the candidate; a training or a measurement that fails is an outcome, not an error."""
    began = time.monotonic()

    def ended(state: State, measurement: Measurement | None, reason: str = "") -> Trial:
        return Trial(number, architecture, state, measurement, reason, time.monotonic() - began)

    torch.manual_seed(setup.recipe.seed)
    network = build(architecture)
    measurement = None
    complexity = count(network, setup.lr_size)
    if not fits(complexity, setup.device):
        return ended("failed", None, f"a forward needs {complexity.memory / 1e9:.1f} GB, more than the device has left")
    try:
        measurement = measure_cost(architecture, complexity, setup)
        if not measurement.within(setup.budget_ms):
            return ended("infeasible", measurement, over_budget(measurement, setup.budget_ms))
        fitted = fit(network, setup.recipe, setup.train, setup.device, quiet=True)
        quality = evaluate(in_dtype(fitted.network, setup.dtype), setup.val, setup.device, with_ssim=False)
    except TrainingFailedError as error:
        return ended("failed", measurement, str(error))
    except torch.OutOfMemoryError:
        return ended("failed", measurement, "the device has too little memory for this network")
    return ended("trained", replace(measurement, quality=quality))


def fits(complexity: Complexity, device: torch.device) -> bool:
    """Tell whether a forward is likely to find memory; on a CPU the system would kill the process instead."""
    return complexity.memory < free_bytes(device)


def measure_cost(architecture: Architecture, complexity: Complexity, setup: Setup) -> Measurement:
    """Return the runtime of an architecture beside the reference, with its counts and without quality."""
    protocol = Protocol(seconds=0.5, hopeless_ms=1.5 * setup.budget_ms)
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

"""What each part of a pruning takes here: a few steps of each kind are timed, the rest follows from runtimes."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from torch import nn

from prune.config import PruneConfig
from prune.methods import units_kept
from prune.nearest import CONFIRMING_PAIRS, FIRST_PAIRS
from prune.planning.time_plan import Speeds
from prune.scoring.gates import Gated
from prune.selection.problem import Problem
from prune.selection.search import selected
from prune.selection.ties import groupings
from prune.setup import Setup, fine_tuning
from sr.data.pairs import fitting_patch
from sr.progress import Progress
from sr.training.autotune import autotune, seconds_per_step
from sr.training.recipe import Recipe
from sr.training.trainer import failures

Clock = Callable[[], float]
# Steps of each kind that are timed.
_STEPS = 3
# A selection is timed on so much of the way to half of the costs: a round's.
_SHARE = 1 / 8
# What is reckoned with on two cores, in seconds: choosing how one plan's convolutions run and making it ready, in torch
# and in an engine that takes an export for each; writing a network's files; SSIM over a million HR pixels.
_PREPARING, _EXPORTING, _SHIPPING, _SSIM_PER_MEGAPIXEL = 6.0, 12.0, 25.0, 0.5
# Engines that what is shipped is measured in.
_ENGINES = 3
# Of plans that a method measures, mostly; what a pair of runs takes of a dense one; what rounds side by side take of
# the seconds that they are asked for, with warming up and what is taken again; what a whole picture takes of its share
# by pixels.
_PLANS, _PAIR, _ROUNDS, _PICTURE = 3, 1.6, 1.6, 1.5


def timed(
    config: PruneConfig, setup: Setup, methods: int, *, clock: Clock = time.perf_counter
) -> tuple[Speeds, Mapping[str, str]]:
    """Time a few steps of each kind on the dense network.

    Args:
        config: What is asked for.
        setup: What all methods share.
        methods: How many are compared.
        clock: The time in seconds, for what is no training step.

    Returns:
        What each part takes, and the precision and the memory format that are fastest to train in.

    Raises:
        InputError: Where no plan stays within the limits.
        TrainingFailedError: Where the memory does not suffice.
    """
    teacher = setup.dense() if config.distillation else None
    with failures(), Progress("timing the first steps", 5, "part", report=setup.report) as progress:
        progress.step(0)
        selection = _selection_seconds(setup, clock)
        progress.step()
        setup.graph.module.load_state_dict(setup.tensors)
        gated = Gated(setup.graph, setup.sites, gate_penalty=setup.schedule.gate_penalty).to(setup.target.device)
        gated.mask(setup.kept)
        first = _fitting(setup.schedule.tock(0), setup)
        tock = autotune(gated, first, setup.train, setup.target.device, teacher=teacher)
        autotuned = {"precision": tock.precision, "memory_format": tock.memory_format}
        progress.step()
        tock_seconds = step_seconds(gated, tock, setup, teacher)
        progress.step()
        gated.train_gates_alone(alone=True)
        tick = replace(_fitting(setup.schedule.tick(0), setup), **autotuned)  # type: ignore[arg-type]
        tick_seconds = step_seconds(gated, tick, setup, None)
        progress.step()
        recipe = fine_tuning(config, setup.train, _STEPS, autotuned)
        assert recipe is not None
        fine_tune_seconds = step_seconds(setup.dense(), recipe, setup, teacher)
        progress.step()
    measuring, finish = measuring_seconds(config, setup), finish_seconds(setup, methods + 1)
    return Speeds(tick_seconds, tock_seconds, fine_tune_seconds, selection, measuring, finish), autotuned


def step_seconds(network: nn.Module, recipe: Recipe, setup: Setup, teacher: nn.Module | None) -> float:
    """Return what a step of a recipe, autotuned, takes; the network is left as it is."""
    teacher = teacher if recipe.distillation else None
    return seconds_per_step(network, recipe, setup.train, setup.target.device, _STEPS, teacher=teacher)


def measuring_seconds(config: PruneConfig, setup: Setup) -> float:
    """Return about what choosing the last steps of one method takes; with a limit of counts, one plan's execution."""
    preparing = _PREPARING if setup.target.engine == "torch" else _EXPORTING
    if "runtime" not in config.targets or config.psnr_floor is not None:
        return preparing
    pairs = _PLANS * (1 + FIRST_PAIRS) + 1 + CONFIRMING_PAIRS
    return _PLANS * preparing + pairs * _PAIR * setup.dense_ms / 1000


def finish_seconds(setup: Setup, networks: int) -> float:
    """Return about what comes last: measuring so many networks side by side, validating them, exporting the best."""
    protocol = setup.timing.side_by_side
    runs = max(protocol.seconds, protocol.minimum_runs * setup.dense_ms / 1000)
    pixels = int((setup.val.lr.heights * setup.val.lr.widths).sum())
    height, width = setup.target.lr_size
    upscaling = _PICTURE * pixels / (height * width) * setup.dense_ms / 1000
    validating = upscaling + _SSIM_PER_MEGAPIXEL * setup.val.scale**2 * pixels / 1e6
    return networks * (_ROUNDS * runs + validating) + _ENGINES * _ROUNDS * runs + _SHIPPING


def _selection_seconds(setup: Setup, clock: Clock) -> float:
    """Return what choosing what to drop takes in a round of our own method, which chooses among the most."""
    shares = {metric: (1.0 if metric == "runtime" else 1 / setup.before[metric]) for metric in setup.limits}
    limits = {
        metric: setup.before[metric] * (limit * shares[metric]) ** _SHARE for metric, limit in setup.limits.items()
    }
    random = np.random.default_rng(0)
    problem = Problem(setup.costs, setup.sites, [random.random(site.units) for site in setup.sites], "shared", limits)
    began = clock()
    selected(problem, units_kept(setup.sites, setup.kept), groupings(setup.sites))
    return clock() - began


def _fitting(recipe: Recipe, setup: Setup) -> Recipe:
    """Return a recipe with patches that some picture can give."""
    return replace(recipe, patch=fitting_patch(setup.train, recipe.patch))

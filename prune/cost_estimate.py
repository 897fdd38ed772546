"""What a pruning would do and take, by a few steps of each kind; nothing is written."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice

from prune.asked import check_is_there
from prune.config import PruneConfig
from prune.graph.liveness import channel_liveness
from prune.methods import variants_of
from prune.planning.keeper import TimeKeeper
from prune.planning.time_plan import phases
from prune.selection.costs import Costs
from prune.selection.latency_steps import CostTable
from prune.setup import Setup, Timing, set_up
from sr.files import as_path
from sr.progress import Report, duration, no_report

# Entries of the table that are timed, to know what one takes.
_ENTRIES = 3


def estimate_cost(
    checkpoint: str | os.PathLike[str],
    config: PruneConfig,
    *,
    report: Report = no_report,
    timing: Timing = Timing(),  # noqa: B008 - frozen
) -> list[str]:
    """Return in a few lines what a pruning would do and about how long it would take.

    Args:
        checkpoint: The network.
        config: What is asked for.
        report: Is told what goes on.
        timing: How networks and parts of them are timed.

    Raises:
        InputError: Where a file or a value is not as it should be, or the network is within its limits already.
    """
    path, variants = as_path(checkpoint), variants_of(config)
    check_is_there(path)
    keeper = TimeKeeper(config, len(variants))
    _, setup = set_up(path, config, report, timing, calibrated=False)
    entries, seconds = _unknown(setup) if "runtime" in config.targets else (0, 0.0)
    made = keeper.fresh(_by_counts(setup), spent=seconds)
    methods, engine = ", ".join(variant.title for variant in variants), setup.target.engine
    lines = [f"{path} would be pruned to {_limits(config)} by {methods}, in {engine}; results in {config.folder}"]
    if entries:
        lines.append(f"first, once for this device, what steps take: {entries} entries, {duration(seconds)}")
    total = keeper.elapsed + seconds + phases(made.steps, made.speeds, len(variants)).total
    return [*lines, *keeper.lines(made, spent=seconds), f"about {duration(total)} in all"]


def _limits(config: PruneConfig) -> str:
    """Return in words what is asked for."""
    if config.psnr_floor is not None:
        return f"a PSNR of {config.psnr_floor:g} dB before fine-tuning"
    units = {"runtime": " ms"}
    return ", ".join(
        f"{number:g} of its {metric}" if kind == "ratio" else f"{metric} {number:g}{units.get(metric, '')}"
        for metric, (kind, number) in config.limits.items()
    )


def _by_counts(setup: Setup) -> Setup:
    """Return what all methods share with a limit that takes no table: to know about what a selection takes."""
    costs = Costs(setup.graph, setup.costs.lr_size)
    params = costs.of(channel_liveness(setup.graph, setup.kept), "params")
    return replace(setup, costs=costs, limits={"params": params / 2})


def _unknown(setup: Setup, clock: Callable[[], float] = time.perf_counter) -> tuple[int, float]:
    """Return how many entries of the table are to be measured first, and about how many seconds that takes."""
    table = setup.costs.table
    assert table is not None
    missing = table.missing(setup.costs.grid(channel_liveness(setup.graph, setup.kept)))
    if not missing:
        return 0, 0.0
    # In a table of its own, so that nothing is remembered; the first entry pays for setting up.
    apart = CostTable(table.target, table.table.memory_format, None, setup.report, setup.timing.time_works)
    first, *others = islice(missing, 1 + _ENTRIES)
    apart.table.measure({first: missing[first]})
    began = clock()
    apart.table.measure({key: missing[key] for key in others})
    return len(missing), (clock() - began) / max(1, len(others)) * len(missing)

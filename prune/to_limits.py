"""One method at work: from the dense weights, round by round, to a slim network within the limits."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from prune.graph.plan import Plan
from prune.methods import Method, Variant, method_of, units_kept
from prune.rewrite.execution import Choice, choose_execution
from prune.rewrite.surgery import slim
from prune.scoring.gate_decorator import Choose, GateDecorator
from prune.scoring.gates import Gated, Scores
from prune.scoring.sites import gate_sites
from prune.selection.problem import Problem
from prune.selection.search import plan_of, selected
from prune.selection.state import Selection, state_of
from prune.selection.ties import groupings
from prune.setup import Setup
from sr.deployment import deploy
from sr.errors import InputError
from sr.files import write_json
from sr.measure.device_lock import measuring_on
from sr.measure.quality import evaluate
from sr.progress import Message

# A runtime is met from this share below what was asked for up to it.
_CLOSE = 0.04
# Of runs that a runtime is checked by.
_PAIRS = 9
_STATE = "gates.state"


@dataclass(frozen=True)
class Pruned:
    """What a method came to, before it is fine-tuned.

    Attributes:
        plan: With its execution.
        network: The slim one.
        choices: Why it runs as it does.
        difference: The largest between the outputs of the masked and of the slim network on random pixels in [0, 1].
    """

    plan: Plan
    network: nn.Module
    choices: Sequence[Choice]
    difference: float


def prune_to_limits(variant: Variant, setup: Setup, folder: Path, teacher: nn.Module | None) -> Pruned:
    """Prune by one method, from the dense weights to a slim network that meets the limits.

    Args:
        variant: The method.
        setup: What all methods share.
        folder: Where it goes on from what lies there; the plan and why it runs as it does lie there then as plan.json
            and execution.json.
        teacher: What a schedule with distillation learns from.

    Returns:
        What it came to.

    Raises:
        InputError: Where the method cannot prune this network, or not within the limits.
    """
    setup.graph.module.load_state_dict(setup.tensors)
    sites = gate_sites(setup.graph, subpixels=setup.subpixels)
    method = method_of(variant, sites, setup.graph)
    gated = Gated(setup.graph, sites, gate_penalty=setup.schedule.gate_penalty)
    gated.mask(setup.kept)
    decorator = GateDecorator(
        gated, setup.schedule, setup.train, setup.target.device, alive=units_kept(method.groups, setup.kept),
        state=folder / _STATE, teacher=teacher, report=setup.report,
    )  # fmt: skip
    known = chosen_before(folder)
    if known is not None:
        gated.folded_into(setup.graph)
        return _slimmed(gated, *known, setup)
    if setup.psnr_floor is not None:
        rounds = setup.schedule.rounds
        choose = _chooser(method, setup, gated)
        decorator.run(choose, label=variant.title, rounds=rounds, enough=lambda: _is_below_floor(gated, setup))
        pruned = _operated(gated, method, setup, decorator)
    else:
        pruned = _corrected(variant.title, setup, method, gated, decorator)
    write_json(folder / "execution.json", [choice.to_json() for choice in pruned.choices])
    # Last: where it lies nothing is left to choose.
    write_json(folder / "plan.json", pruned.plan.to_json())
    return pruned


def chosen_before(folder: Path) -> tuple[Plan, list[Choice]] | None:
    """Return what an earlier run chose, which it measured and another measurement might not repeat; None for nothing.

    Raises InputError where the files hold something else.
    """
    if not ((folder / "plan.json").is_file() and (folder / _STATE).is_file()):
        return None
    try:
        plan, choices = (json.loads((folder / f"{name}.json").read_text("utf-8")) for name in ("plan", "execution"))
        return Plan.from_json(plan), [Choice.from_json(choice) for choice in choices]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{folder}/plan.json or execution.json are no plan of a pruning; remove {folder}") from error


def badness(off: float) -> tuple[bool, float]:
    """Return what orders runtimes as shares of what was asked for: those within it first, then by the distance."""
    return off > 1, abs(off - 1)


def measured_ratio(network: nn.Module, setup: Setup) -> float:
    """Return the runtime of a network as a share of the dense one's: the median over pairs of runs, in turn."""
    runners = [setup.dense_runner, setup.runner(network)]
    with measuring_on(setup.target.device):
        pairs = [[runner.run_ms() for runner in runners] for _ in range(1 + _PAIRS)]
    # The first pair pays for setting up.
    return statistics.median(slim_ms / dense_ms for dense_ms, slim_ms in pairs[1:])


def _corrected(label: str, setup: Setup, method: Method, gated: Gated, decorator: GateDecorator) -> Pruned:
    """Prune, and where the measured runtime is not what was predicted, prune on with the limit moved by as much.

    Scores change from round to round, so that corrections need not come nearer each time: the best of them stays.
    """
    aimed, rounds = setup, setup.schedule.rounds
    attempts: list[tuple[float, Pruned, dict[str, Any]]] = []
    for attempt in range(setup.corrections + 1):
        try:
            decorator.run(_chooser(method, aimed, gated), label=label, rounds=rounds)
        except InputError as error:
            if not attempts:
                raise
            # The limit was moved to where no plan is: what came of it so far is the best that there is.
            setup.report(Message(f"{label}: {error}"))
            decorator.abandon_round()
            break
        pruned = _operated(gated, method, aimed, decorator)
        if "runtime" not in setup.limits:
            return pruned
        ratio = measured_ratio(pruned.network, setup)
        off = ratio / setup.limits["runtime"]
        attempts.append((off, pruned, decorator.content()))
        setup.report(
            Message(f"{label}: takes {ratio:.3f} of the dense runtime, asked for {setup.limits['runtime']:.3f}")
        )
        if 1 - _CLOSE <= off <= 1 or attempt == setup.corrections:
            break
        aim = aimed.limits["runtime"] * (1 - _CLOSE / 2) / off
        aimed = replace(aimed, limits={**setup.limits, "runtime": min(aim, 1.0)})
        rounds = max(rounds, decorator.rounds.done) + 1
    _, pruned, content = min(attempts, key=lambda each: badness(each[0]))
    decorator.take(content)
    decorator.save()
    return pruned


def _is_below_floor(gated: Gated, setup: Setup) -> bool:
    """Return whether the network with masks is worse than the floor."""
    assert setup.psnr_floor is not None
    return evaluate(deploy(gated), setup.val, setup.target.device).psnr < setup.psnr_floor


def _chooser(method: Method, setup: Setup, gated: Gated) -> Choose:
    """Return what makes the selection of a round: the limits come nearer by equal factors from round to round."""
    begun_with = units_kept(method.groups, setup.kept)

    def choose(share: float, scores: Scores, alive: list[NDArray[np.bool_]]) -> Selection:
        gated.folded_into(setup.graph)
        problem = _problem(method, setup, share, scores)
        filled = selected(problem, alive, groupings(method.groups) if method.may_tie else ())
        # Filling may take back what an earlier pruning dropped, and that has no weights any more.
        left = state_of(problem, [units & had for units, had in zip(filled, begun_with, strict=True)])
        return Selection(left.alive, plan_of(problem, left.alive))

    return choose


def _problem(method: Method, setup: Setup, share: float, scores: Scores) -> Problem:
    """Return the problem of a round; share: of all rounds, with this one over."""
    dense = setup.before
    absolute = {metric: limit * (dense[metric] if metric == "runtime" else 1) for metric, limit in setup.limits.items()}
    limits = {metric: dense[metric] * min(1.0, limit / dense[metric]) ** share for metric, limit in absolute.items()}
    return Problem(setup.costs, method.groups, method.scores(scores), method.channel_order, limits, blend=share)


def _operated(gated: Gated, method: Method, setup: Setup, decorator: GateDecorator) -> Pruned:
    """Make the slim network of what the rounds left, in the execution that is fastest here."""
    gated.folded_into(setup.graph)
    alive = decorator.rounds.alive
    problem = _problem(method, setup, 1.0, decorator.rounds.scores)
    # Channels beyond the plan would be beyond a limit of counts too.
    counted = any(metric != "runtime" for metric in setup.limits)
    plan, choices = choose_execution(plan_of(problem, alive), setup.costs, setup.measurer, exact=counted)
    return _slimmed(gated, plan, choices, setup)


def _slimmed(gated: Gated, plan: Plan, choices: Sequence[Choice], setup: Setup) -> Pruned:
    """Make the slim network of a plan from the weights in the graph, and compare it with the masked one."""
    network = slim(setup.graph, plan)
    lr = torch.rand(1, 3, 48, 56, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        masked = gated.cpu().eval()(lr)
        difference = float((masked - network(lr)).abs().max())
    gated.to(setup.target.device)
    return Pruned(plan, network, choices, difference)

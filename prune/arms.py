"""The ways to prune that are compared: our own per convolution, and torch-pruning's coupled groups."""

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from prune.costs import Costs, Metric
from prune.execution import Choice, Measurer, choose_execution
from prune.flow import flow
from prune.gate_decorator import GateDecorator, Schedule
from prune.gates import Gated, Scores
from prune.graph import Graph
from prune.groups import coupled_groups, magnitude_scores
from prune.plan import Group, Kept, Plan
from prune.selection import MODES, Mode, Selection
from prune.sites import Site, sites_of
from prune.surgery import slim
from prune.variables import Variable, of_sites
from sr.deployment import deploy
from sr.device_table import unheard
from sr.errors import InputError
from sr.files import write_json
from sr.lease import measuring_on
from sr.pairs import Pairs
from sr.quality import evaluate
from sr.timing import run_ms

# A runtime is met from this share below what was asked for up to it.
CLOSE = 0.04
CORRECTIONS = 3
# Of runs that a runtime is checked by.
PAIRS = 9
STATE = "gates.state"


@dataclass(frozen=True)
class Setup:
    """What all arms share.

    graph: the dense network; its weights are `tensors` when an arm begins. kept: what an earlier pruning left.
    limits: the most that the result may cost, `runtime` as a share of the dense network's. psnr_floor: where one is
    given, rounds go on until the network with masks is worse than that on `val` (dB, RGB); limits are then steps.
    """

    graph: Graph
    tensors: Mapping[str, Tensor]
    kept: Mapping[str, Kept]
    costs: Costs
    limits: Mapping[Metric, float]
    schedule: Schedule
    train: Pairs
    device: torch.device
    dtype: str
    measurer: Measurer
    val: Pairs
    psnr_floor: float | None = None
    subpixels: bool = False
    report: Callable[[str], None] = unheard

    def dense(self) -> nn.Module:
        """Return the dense network with the weights that all arms begin with, ready to run."""
        self.graph.module.load_state_dict(self.tensors)
        return slim(self.graph, Plan(self.kept, {}, {}))

    @cached_property
    def before(self) -> Mapping[Metric, float]:
        """What the network costs before it is pruned, after an earlier pruning; by each limited metric."""
        followed = flow(self.graph, self.kept)
        # The dense costs measure all that a plan may ask for at once; counts need no measuring.
        metrics = self.costs.dense if "runtime" in self.limits else self.limits
        return {metric: self.costs.of(followed, metric) for metric in metrics}


@dataclass(frozen=True)
class Pruned:
    """What an arm came to, before it is fine-tuned: the plan with its execution, and the slim network.

    difference: the largest between the outputs of the masked and of the slim network on random pixels in [0, 1].
    """

    plan: Plan
    network: nn.Module
    choices: Sequence[Choice]
    difference: float


@dataclass(frozen=True)
class Way:
    """What is chosen among, and by which scores: from the gates' scores per site to those per variable."""

    variables: tuple[Variable, ...]
    scores: Callable[[Scores], Scores]
    mode: Mode


def way(arm: str, sites: Sequence[Site], graph: Graph) -> Way:
    """Return how an arm prunes: a mode of `MODES`, `group`, or `magnitude`.

    `group` sums the gates' scores over all that torch-pruning couples, so that only the grouping differs from ours;
    `magnitude` takes torch-pruning's own importance.
    """
    if arm in MODES:
        return Way(of_sites(sites), lambda scores: scores, arm)
    groups = coupled_groups(graph.module)
    variables = tuple(Variable(group) for group in groups)
    if arm == "magnitude":
        return Way(variables, lambda _: by_magnitude(graph, groups), "free")
    return Way(variables, lambda scores: over_groups(groups, sites, scores), "free")


def by_magnitude(graph: Graph, groups: Sequence[Group]) -> Scores:
    """Return torch-pruning's importance per unit."""
    return [score.double().numpy() for score in magnitude_scores(graph.module, groups)]


def over_groups(groups: Sequence[Group], sites: Sequence[Site], scores: Scores) -> Scores:
    """Return per group and unit the sum of the gates' scores over all of its members."""
    of_channel: dict[tuple[str, str, int], tuple[int, int]] = {}
    for number, site in enumerate(sites):
        for unit, channels in enumerate(site.member.channels):
            of_channel.update({(site.member.conv, site.member.side, channel): (number, unit) for channel in channels})
    found = []
    for group in groups:
        total = np.zeros(group.units)
        for member in group.members:
            for unit, channels in enumerate(member.channels):
                keys = ((member.conv, member.side, channel) for channel in channels)
                gates = {of_channel[key] for key in keys if key in of_channel}
                total[unit] += sum(float(scores[number][gate]) for number, gate in gates)
        found.append(total)
    return found


def prune(arm: str, setup: Setup, folder: Path, teacher: nn.Module | None) -> Pruned:
    """Prune by one arm, from the dense weights to a slim network that meets the limits; goes on from `folder`.

    The plan and why it runs as it does lie there then as plan.json and execution.json. Raises InputError where the arm
    cannot prune this network, or not within the limits.
    """
    setup.graph.module.load_state_dict(setup.tensors)
    sites = sites_of(setup.graph, subpixels=setup.subpixels)
    chosen_by = way(arm, sites, setup.graph)
    gated = Gated(setup.graph, sites)
    gated.mask(setup.kept)
    decorator = GateDecorator(
        gated, setup.schedule, setup.train, setup.device,
        alive=alive_in(chosen_by.variables, setup.kept), state=folder / STATE, teacher=teacher,
    )  # fmt: skip
    known = planned(folder)
    if known is not None:
        gated.folded_into(setup.graph)
        return slimmed(gated, *known, setup)
    if setup.psnr_floor is not None:
        decorator.run(
            chooser(chosen_by, setup, gated),
            label=arm,
            rounds=setup.schedule.rounds,
            enough=lambda: is_below(gated, setup),
        )
        pruned = operate(gated, chosen_by, setup, decorator)
    else:
        pruned = corrected(arm, setup, chosen_by, gated, decorator)
    write_json(folder / "execution.json", [asdict(choice) for choice in pruned.choices])
    # Last: where it lies nothing is left to choose.
    write_json(folder / "plan.json", pruned.plan.to_json())
    return pruned


def planned(folder: Path) -> tuple[Plan, list[Choice]] | None:
    """Return what an earlier run chose, which it measured and another measurement might not repeat; None for nothing.

    Raises InputError where the files hold something else.
    """
    if not ((folder / "plan.json").is_file() and (folder / STATE).is_file()):
        return None
    try:
        plan, choices = (json.loads((folder / f"{name}.json").read_text("utf-8")) for name in ("plan", "execution"))
        return Plan.from_json(plan), [Choice(**choice) for choice in choices]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{folder}/plan.json or execution.json are no plan of a pruning; remove {folder}") from error


def corrected(arm: str, setup: Setup, chosen_by: Way, gated: Gated, decorator: GateDecorator) -> Pruned:
    """Prune, and where the measured runtime is not what was predicted, prune on with the limit moved by as much.

    Scores change from round to round, so that corrections need not come nearer each time: the best of them stays.
    """
    aimed, rounds = setup, setup.schedule.rounds
    attempts: list[tuple[float, Pruned, dict[str, Any]]] = []
    for attempt in range(CORRECTIONS + 1):
        decorator.run(chooser(chosen_by, aimed, gated), label=arm, rounds=rounds)
        pruned = operate(gated, chosen_by, aimed, decorator)
        if "runtime" not in setup.limits:
            return pruned
        ratio = measured_ratio(pruned.network, setup)
        off = ratio / setup.limits["runtime"]
        attempts.append((off, pruned, decorator.content()))
        setup.report(f"{arm}: takes {ratio:.3f} of the dense runtime, asked for {setup.limits['runtime']:.3f}")
        if 1 - CLOSE <= off <= 1 or attempt == CORRECTIONS:
            break
        aim = aimed.limits["runtime"] * (1 - CLOSE / 2) / off
        aimed = replace(aimed, limits={**setup.limits, "runtime": min(aim, 1.0)})
        rounds = max(rounds, decorator.progress.round) + 1
    _, pruned, content = min(attempts, key=lambda each: badness(each[0]))
    decorator.take(content)
    decorator.save()
    return pruned


def badness(off: float) -> tuple[bool, float]:
    """Return what orders runtimes as shares of what was asked for: those within it first, then by the distance."""
    return off > 1, abs(off - 1)


def is_below(gated: Gated, setup: Setup) -> bool:
    """Tell whether the network with masks is worse than the floor."""
    assert setup.psnr_floor is not None
    return evaluate(deploy(gated), setup.val, setup.device).psnr < setup.psnr_floor


def alive_in(variables: Sequence[Variable], kept: Mapping[str, Kept]) -> list[NDArray[np.bool_]]:
    """Return per variable which units a plan keeps."""
    found = []
    for variable in variables:
        alive = np.ones(variable.group.units, dtype=bool)
        for member in variable.group.members:
            stays = set(kept[member.conv].inputs if member.side == "inputs" else kept[member.conv].outputs)
            alive &= np.array([not stays.isdisjoint(channels) for channels in member.channels])
        found.append(alive)
    return found


def chooser(
    chosen_by: Way, setup: Setup, gated: Gated
) -> Callable[[float, Scores, list[NDArray[np.bool_]]], Selection]:
    """Return what makes the selection of a round: the limits come nearer by equal factors from round to round."""
    begun_with = alive_in(chosen_by.variables, setup.kept)

    def choose(share: float, scores: Scores, alive: list[NDArray[np.bool_]]) -> Selection:
        gated.folded_into(setup.graph)
        selection = selected(chosen_by, setup, share, scores, alive)
        selection.shrink()
        selection.fill()
        # Filling may take back what an earlier pruning dropped, and that has no weights any more.
        selection.settle([units & had for units, had in zip(selection.alive, begun_with, strict=True)])
        return selection

    return choose


def selected(chosen_by: Way, setup: Setup, share: float, scores: Scores, alive: list[NDArray[np.bool_]]) -> Selection:
    """Return the selection before anything is dropped."""
    dense = setup.before
    absolute = {metric: limit * (dense[metric] if metric == "runtime" else 1) for metric, limit in setup.limits.items()}
    limits = {metric: dense[metric] * min(1.0, limit / dense[metric]) ** share for metric, limit in absolute.items()}
    return Selection(
        setup.costs, chosen_by.variables, chosen_by.scores(scores), chosen_by.mode, limits, list(alive), pull=share
    )


def operate(gated: Gated, chosen_by: Way, setup: Setup, decorator: GateDecorator) -> Pruned:
    """Make the slim network of what the rounds left, in the execution that is fastest here."""
    gated.folded_into(setup.graph)
    selection = selected(chosen_by, setup, 1.0, decorator.progress.scores, decorator.progress.alive)
    # Channels beyond the plan would be beyond a limit of counts too.
    counted = any(metric != "runtime" for metric in setup.limits)
    plan, choices = choose_execution(selection.plan(), setup.costs, setup.measurer, exact=counted)
    return slimmed(gated, plan, choices, setup)


def slimmed(gated: Gated, plan: Plan, choices: Sequence[Choice], setup: Setup) -> Pruned:
    """Make the slim network of a plan from the weights in the graph, and compare it with the masked one."""
    network = slim(setup.graph, plan)
    lr = torch.rand(1, 3, 48, 56, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        masked = gated.cpu().eval()(lr)
        difference = float((masked - network(lr)).abs().max())
    gated.to(setup.device)
    return Pruned(plan, network, choices, difference)


def measured_ratio(network: nn.Module, setup: Setup) -> float:
    """Return the runtime of a network as a share of the dense one's: the median over pairs of runs, in turn."""
    works = [setup.measurer.upscaling(each, setup.costs.lr_size) for each in (setup.dense(), network)]
    with measuring_on(setup.device), torch.inference_mode():
        pairs = [[run_ms(work, setup.device, 1) for work in works] for _ in range(1 + PAIRS)]
    # The first pair pays for setting up.
    return statistics.median(slim_ms / dense_ms for dense_ms, slim_ms in pairs[1:])

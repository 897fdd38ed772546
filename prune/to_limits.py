"""One method at work: from the dense weights, round by round, to a slim network within the limits."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from prune.chosen import STATE, Chosen, chosen_before, write_chosen
from prune.graph.plan import Plan
from prune.methods import Method, Variant, method_of, units_kept
from prune.nearest import Option, nearest
from prune.outcomes import Reached
from prune.planning.arm_time import ArmTime
from prune.rewrite.execution import Choice, choose_execution
from prune.rewrite.surgery import slim
from prune.runtime_ratio import BesideDense
from prune.scoring.gate_decorator import GateDecorator
from prune.scoring.gates import Gated, Scores
from prune.scoring.pace import Pace
from prune.selection.problem import Known, Problem
from prune.selection.search import plan_of, selected_by
from prune.selection.state import Selection, State, state_of
from prune.selection.ties import Grouping, groupings
from prune.setup import Setup
from sr.deployment import deploy
from sr.measure.quality import evaluate
from sr.progress import Message, Progress


@dataclass(frozen=True)
class Pruned:
    """What a method came to, before it is fine-tuned.

    Attributes:
        chosen: What it leaves.
        network: The slim one.
        difference: The largest between the outputs of the masked and of the slim network on random pixels in [0, 1].
    """

    chosen: Chosen
    network: nn.Module
    difference: float

    @property
    def plan(self) -> Plan:
        """The plan with its execution."""
        return self.chosen.plan

    @property
    def choices(self) -> Sequence[Choice]:
        """Why it runs as it does."""
        return self.chosen.choices

    @property
    def reached(self) -> Reached | None:
        """How near it is to the runtime that was asked for; None where none was."""
        return self.chosen.reached


def prune_to_limits(
    variant: Variant, setup: Setup, folder: Path, teacher: nn.Module | None, arm_time: ArmTime | None = None
) -> Pruned:
    """Prune by one method, from the dense weights to a slim network that meets the limits.

    Args:
        variant: The method.
        setup: What all methods share.
        folder: Where it goes on from what lies there; the plan and why it runs as it does lie there then as plan.json
            and execution.json, and beside a runtime how near it is as reached.json.
        teacher: What a schedule with distillation learns from.
        arm_time: What time there is for it; None for no limit.

    Returns:
        What it came to.

    Raises:
        InputError: Where the method cannot prune this network, or not within the limits.
    """
    setup.graph.module.load_state_dict(setup.tensors)
    method = method_of(variant, setup.sites, setup.graph)
    gated = Gated(setup.graph, setup.sites, gate_penalty=setup.schedule.gate_penalty)
    gated.mask(setup.kept)
    before = chosen_before(folder)
    if before is None:
        # One without the weights that it stood on is of no use, and would be taken for this one's.
        (folder / "plan.json").unlink(missing_ok=True)
    arm_time = arm_time or ArmTime()
    arm = _Arm(variant.title, method, setup, gated, folder, arm_time, before)
    decorator = GateDecorator(
        gated, setup.schedule, setup.train, setup.target.device, alive=units_kept(method.groups, setup.kept),
        state=folder / STATE, teacher=teacher, report=setup.report,
    )  # fmt: skip
    decorator.autotuned = decorator.autotuned or dict(setup.autotuned)
    decorator.run(
        arm.choose, label=variant.title, rounds=setup.schedule.rounds, pace=arm.pace,
        enough=None if setup.psnr_floor is None else arm.is_below_floor,
    )  # fmt: skip
    gated.folded_into(setup.graph)
    if arm.chosen is None:
        arm.keep(arm.operated(decorator.rounds.scores, decorator.rounds.alive))
    assert arm.chosen is not None
    return _slimmed(gated, arm.chosen, setup)


@dataclass
class _Arm:
    """A method while it works.

    Attributes:
        label: How it is called in reports.
        method: What is chosen among, and by which scores.
        setup: What all methods share.
        gated: The network, with gates.
        folder: Where what it chose is kept.
        time: What time there is for it.
        chosen: What it leaves; None before that is known.
    """

    label: str
    method: Method
    setup: Setup
    gated: Gated
    folder: Path
    time: ArmTime
    chosen: Chosen | None

    def choose(self, share: float, scores: Scores, alive: list[NDArray[np.bool_]]) -> Selection:
        """Make the selection of a round: the limits come nearer by equal factors; the last one goes by measuring."""
        if share == 1 and self._is_measured:
            return self._nearest(scores, alive)
        self.gated.folded_into(self.setup.graph)
        problem = self._problem(share, scores)
        state, _ = self._selected(problem, alive, self._groupings)
        return _selection(problem, state)

    def pace(self, left: Pace) -> Pace:
        """Return what is left of the rounds; where that is less than it was, the time has run short."""
        found = self.time.pace(left)
        if found.rounds == 0:
            self.setup.report(Message(f"{self.label}: no time is left for another round"))
        elif found != left:
            rounds = f"{found.rounds} of {left.rounds} rounds that were left"
            steps = f"of {found.tick_steps} + {found.tock_steps} steps"
            self.setup.report(Message(f"{self.label}: time runs short: {rounds}, {steps}, go all the way"))
        return found

    def is_below_floor(self) -> bool:
        """Return whether the network with masks is worse than the floor."""
        assert self.setup.psnr_floor is not None
        return evaluate(deploy(self.gated), self.setup.val, self.setup.target.device).psnr < self.setup.psnr_floor

    def operated(self, scores: Scores, alive: list[NDArray[np.bool_]]) -> Chosen:
        """Return what the rounds left, in the execution that is fastest here."""
        plan = plan_of(self._problem(1.0, scores), alive)
        # Channels beyond the plan would be beyond a limit of counts too.
        counted = any(metric != "runtime" for metric in self.setup.limits)
        return Chosen(*choose_execution(plan, self.setup.costs, self.setup.measurer, exact=counted))

    def keep(self, chosen: Chosen) -> None:
        """Take what was chosen, and write it."""
        self.chosen = chosen
        write_chosen(self.folder, chosen)

    @property
    def _is_measured(self) -> bool:
        """Whether the last selection goes by measured runtimes."""
        return "runtime" in self.setup.limits and self.setup.psnr_floor is None

    def _nearest(self, scores: Scores, alive: list[NDArray[np.bool_]]) -> Selection:
        """Make the selection whose measured runtime is the nearest to what was asked for."""
        mark, dense_ms, most = self.setup.limits["runtime"], self.setup.before["runtime"], self.setup.plans_measured
        # Made ready first: that takes the dense weights.
        dense = self.setup.dense_runner
        self.gated.folded_into(self.setup.graph)
        executed: dict[Hashable, tuple[Chosen, BesideDense]] = {}
        first, tied = self._problem(1.0, scores), list[Sequence[Grouping]]([self._groupings])

        def select(limit: float) -> Option[Selection]:
            problem = self._problem(1.0, scores, runtime=limit, known=first.known)
            # The grouping that is the best at first stays: plans in the order of one lie in the order of their limits.
            state, grouping = self._selected(problem, alive, tied[-1])
            tied.append(grouping)
            selection = _selection(problem, state)
            return Option(_key(selection), state.spent["runtime"] / dense_ms, selection)

        def ratios(option: Option[Selection], pairs: int) -> Sequence[float]:
            if option.key not in executed:
                chosen = self.operated(scores, option.content.alive)
                runners = self.setup.runners(slim(self.setup.graph, chosen.plan))
                executed[option.key] = chosen, BesideDense(dense, runners, self.setup.target.device)
                progress.step()
            return executed[option.key][1].ratios(pairs)

        with Progress(f"{self.label}, measuring the last steps", most, "plan", report=self.setup.report) as progress:
            progress.step(0)
            found = nearest(mark, select, ratios, most=most, may_go_on=self.time.may_measure)
        chosen, _ = executed[_key(found.content)]
        reached = Reached(mark, found.ratio, found.below, found.above, found.nothing_between)
        self.keep(replace(chosen, reached=reached))
        self.setup.report(Message(f"{self.label}: takes {found.ratio:.3f} of the dense runtime, asked for {mark:.3f}"))
        return found.content

    @property
    def _groupings(self) -> Sequence[Grouping]:
        """How the groups may be tied."""
        return groupings(self.method.groups) if self.method.may_tie else ()

    def _selected(
        self, problem: Problem, alive: list[NDArray[np.bool_]], tied: Sequence[Grouping]
    ) -> tuple[State, Sequence[Grouping]]:
        """Return what is kept within the limits of a problem, and the grouping that it is by."""
        filled, grouping = selected_by(problem, alive, tied)
        # Filling may take back what an earlier pruning dropped, and that has no weights any more.
        begun_with = units_kept(self.method.groups, self.setup.kept)
        return state_of(problem, [units & had for units, had in zip(filled, begun_with, strict=True)]), grouping

    def _problem(
        self, share: float, scores: Scores, *, runtime: float | None = None, known: Known | None = None
    ) -> Problem:
        """Return the problem of a round.

        Args:
            share: Of the way to the limits that is over with this round.
            scores: Per site those of its gates.
            runtime: The limit of the runtime in place of the one asked for, as a share of the dense one.
            known: What was found of plans before.
        """
        dense, limits = self.setup.before, {}
        for metric, asked in self.setup.limits.items():
            limit = asked
            if metric == "runtime":
                limit = dense[metric] * (asked if runtime is None else runtime)
            limits[metric] = dense[metric] * min(1.0, limit / dense[metric]) ** share
        scored, order = self.method.scores(scores), self.method.channel_order
        return Problem(
            self.setup.costs, self.method.groups, scored, order, limits, blend=share,
            known={} if known is None else known,
        )  # fmt: skip


def _selection(problem: Problem, state: State) -> Selection:
    """Return the units alive with their plan."""
    return Selection(state.alive, plan_of(problem, state.alive))


def _key(selection: Selection) -> Hashable:
    """Return what is the same for the same plan."""
    return tuple(selection.plan.kept.items())


def _slimmed(gated: Gated, chosen: Chosen, setup: Setup) -> Pruned:
    """Make the slim network of a plan from the weights in the graph, and compare it with the masked one."""
    network = slim(setup.graph, chosen.plan)
    lr = torch.rand(1, 3, 48, 56, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        masked = gated.cpu().eval()(lr)
        difference = float((masked - network(lr)).abs().max())
    gated.to(setup.target.device)
    return Pruned(chosen, network, difference)

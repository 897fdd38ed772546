"""Hand-designed networks of the same budget: measured beside the finalists, and where asked for trained alike."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from baselines.at_budget import Size, largest_predicted, scalable_families
from baselines.registry import BASELINES, build
from nas.config.search import SearchConfig
from nas.evaluate import Setup
from nas.training.worker_state import WorkerState
from sr.checkpoint import load_network
from sr.data.pairs import Pairs
from sr.deployment import deploy
from sr.errors import InputError
from sr.executors.executor import Executor, WorkerDiedError
from sr.measure.latency_model import LatencyModel
from sr.measure.quality import Quality, evaluate
from sr.progress import Message, Report, no_report
from sr.training.deployed_fit import fit_deployed
from sr.training.fit import state_on_cpu
from sr.training.recipe import Recipe
from sr.training.trainer import TrainingFailedError

# Of the budget, what a member is predicted to take at the most.
_MARGIN = 0.9
# Families that every search shows: of the real-time ones and of the challenges' winners those that fit small budgets.
SHOWN = ("ecbsr", "etds", "abpn", "sesr", "span", "rfdn")


def check_rivals(config: SearchConfig) -> None:
    """Raise InputError where a family that is asked for has no sizes at the scale that is searched."""
    families = scalable_families(config.scale)
    if unknown := [name for name in config.rivals_of(families) if name not in families]:
        raise InputError(
            f"--rivals takes all, or of {', '.join(families)} (those at x{config.scale}) with commas between; "
            f"got {unknown[0]!r}"
        )


def rivals_of(names: Sequence[str], setup: Setup, model: LatencyModel) -> list[Size]:
    """Return of hand-designed families the largest members at the study's scale that are predicted within the budget.

    With a margin: of these networks the model has seen none.
    """
    return largest_predicted(names, _MARGIN * setup.budget_ms, setup.target, model, scale=setup.scale)


@dataclass(frozen=True)
class RivalTask:
    """A hand-designed network to train by a recipe, from the checkpoint of a teacher where the recipe distils."""

    member: Size
    recipe: Recipe
    teacher: Path | None = None

    @property
    def label(self) -> str:
        """What it is, for people."""
        return f"train {self.member.title} to {self.recipe.steps:,} steps"


@dataclass(frozen=True)
class TrainedRival:
    """What became of it.

    Attributes:
        tensors: Of its deployed form, on the CPU; None where the training failed.
        remark: Why it failed, or why its last convolution is as trained.
    """

    tensors: Mapping[str, Tensor] | None
    remark: str = ""


def trained_alike(
    members: Sequence[Size],
    names: Sequence[str],
    recipe: Recipe,
    setup: Setup,
    val: Pairs,
    report: Report = no_report,
    keep: Callable[[str, nn.Module], None] | None = None,
    teacher: Path | None = None,
    pool: Executor[WorkerState] | None = None,
) -> dict[str, Quality]:
    """Train hand-designed networks for the same steps by the same recipe as the chosen one, and judge them.

    Args:
        members: Those within the budget.
        names: The families that are wanted.
        recipe: Of the chosen network's long training.
        setup: With the training pictures and the device.
        val: All validation pictures, on that device.
        report: Is told of the steps where they are trained here.
        keep: Is given each by its title, as it was judged.
        teacher: The checkpoint that the chosen one learnt from besides; None where it had none.
        pool: Where they are trained; None for one after another in this process.

    Returns:
        The quality of each by its title; of one whose training failed nothing, and a message says so.
    """
    tasks = [RivalTask(each, recipe, teacher) for each in members if each.name in names]
    found, device = dict[str, Quality](), setup.target.device
    for task, trained in zip(tasks, _trained_in_order(tasks, setup, report, pool), strict=True):
        title = task.member.title
        if trained.tensors is None:
            report(Message(f"{title} has no PSNR: {trained.remark}"))
            continue
        if trained.remark:
            report(Message(f"{title}: its last convolution is as trained ({trained.remark})"))
        network = deploy(task.member.build())
        network.load_state_dict(trained.tensors)
        network = network.to(device).eval()
        found[title] = evaluate(network, val, device, with_ssim=False)
        if keep is not None:
            keep(title, network)
    return found


def train_rival(state: WorkerState, task: RivalTask, report: Report = no_report) -> TrainedRival:
    """Train a member in its training form and solve for the last convolution of the one that runs, as ours is."""
    member, recipe = task.member, task.recipe
    try:
        state.place()
        torch.manual_seed(recipe.seed)
        network = build(member.name, **{**member.config, **BASELINES[member.name].training_form})
        device = state.setup.target.device
        with state.here(task.teacher) as path:
            teacher = None if path is None else load_network(path)
        fitted = fit_deployed(
            network, recipe, state.setup.train, device, label=f"training {member.title}", teacher=teacher, report=report
        )
    except TrainingFailedError as error:
        return TrainedRival(None, str(error))
    return TrainedRival(state_on_cpu(fitted.network.state_dict(), device), fitted.unsolved)


def _trained_in_order(
    tasks: Sequence[RivalTask], setup: Setup, report: Report, pool: Executor[WorkerState] | None
) -> Iterator[TrainedRival]:
    """Yield what becomes of each: in this process, or of all at once where others train; a worker's death is one's."""
    if pool is None:
        here = WorkerState(setup)
        yield from (train_rival(here, task, report) for task in tasks)
        return
    for future in [pool.submit(train_rival, task) for task in tasks]:
        try:
            yield future.result()
        except WorkerDiedError as error:
            yield TrainedRival(None, str(error))

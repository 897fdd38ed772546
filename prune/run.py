"""Command: prune a network until it is as fast or as small as asked, and prove it beside the dense one and rivals."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from prune.arms import Setup, prune
from prune.compare import Contender, compared, contender, dense_contender, fine_tuned
from prune.costs import Costs, Metric
from prune.execution import Measurer, in_words
from prune.flags import parse
from prune.flow import flow
from prune.gate_decorator import Schedule
from prune.network import opened
from prune.plan import Kept, Plan
from prune.report import DENSE, OURS, Arm, page, to_json, verdict
from prune.selection import MODES
from prune.sites import sites_of
from prune.stairs import CostTable, default_path
from prune.surgery import slim
from sr.checkpoint import Description, load
from sr.command import DONE, run, say
from sr.data import load_pairs
from sr.errors import InputError
from sr.export import export_onnx
from sr.files import write_json, write_text
from sr.latency import Protocol, measure_runtimes
from sr.pairs import Pairs, on_device
from sr.recipe import Recipe
from sr.trainer import TrainingFailedError

# Training pictures with a smaller LR side are left out.
SMALLEST_SIDE = 32
# With a floor for the PSNR each round may cost this share of the one before, and there are at most so many.
FLOOR_STEP, FLOOR_ROUNDS = 0.9, 20
QUICK = Protocol(seconds=1.5, minimum_runs=6)


def main(argv: list[str] | None = None) -> int:
    """Load, prune by every arm, fine-tune, measure side by side, export, and say what came out."""
    args = parse(argv)
    asked = begin(args)
    description, setup, val = prepare(args)
    # Not before: what could not begin leaves nothing to go on with.
    write_json(args.out / "asked.json", asked)
    teacher = setup.dense() if args.distillation else None
    recipe = fine_tuning(args, setup.train)
    contenders = {DENSE: dense_contender(setup, description)}
    try:
        pruned, left_out = by_all_arms(args, description, setup, teacher)
        contenders |= pruned
        for name, each in contenders.items():
            folder = args.out / name_of(name)
            network = finished(folder, each) or fine_tuned(each, recipe, setup, folder, teacher)
            contenders[name] = replace(each, network=network)
    except TrainingFailedError as error:
        raise InputError(f"the training failed: {error}; try a smaller --learning-rate or --batch") from error
    arms = compared(contenders, setup, val)
    ship(args, contenders, arms, left_out)
    return DONE


def begin(args: argparse.Namespace) -> dict[str, str]:
    """Make the folder, or take up what lies in it; return what is asked for, as it is kept there.

    Raises InputError where it holds another pruning.
    """
    if not args.checkpoint.is_file():
        raise InputError(
            f"no checkpoint at {args.checkpoint}; python -m baselines.train hcsrn --out {args.checkpoint} makes one"
        )
    leave_out = ("command", "resume", "json", "limits", "out")
    asked = {name: str(value) for name, value in vars(args).items() if name not in leave_out}
    path = args.out / "asked.json"
    if path.exists():
        if not args.resume:
            raise InputError(f"{args.out} holds a pruning; go on with --resume, or name another --out")
        was = asked_before(path)
        changed = [f"--{name.replace('_', '-')} was {was.get(name)}" for name in asked if was.get(name) != asked[name]]
        if changed:
            raise InputError(f"{args.out} holds another pruning ({'; '.join(changed)}); name another --out")
    elif args.resume:
        raise InputError(f"there is no pruning in {args.out}; leave --resume out to start one")
    args.out.mkdir(parents=True, exist_ok=True)
    return asked


def asked_before(path: Path) -> dict[str, Any]:
    """Read what was asked for; raises InputError where the file says something else."""
    try:
        was = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        was = None
    if not isinstance(was, dict):
        raise InputError(f"{path} does not say what was asked for; name another --out")
    return was


def prepare(args: argparse.Namespace) -> tuple[Description, Setup, Pairs]:
    """Load the network and the pictures, and measure what is to be brought down."""
    checkpoint = load(args.checkpoint)
    try:
        description, graph, kept = opened(checkpoint)
        sites = sites_of(graph, subpixels=args.subpixels)
    except InputError as error:
        raise InputError(f"{args.checkpoint}: {error}") from error

    def report(line: str) -> None:
        say(line, to_stderr=True)

    train = on_device(load_pairs(args.data, "train", minimum_lr_side=SMALLEST_SIDE, report=report), args.device)
    val = load_pairs(args.val, "val", minimum_lr_side=16, report=report)
    dense = slim(graph, Plan(kept, {}, {}))
    runtimes = measure_runtimes({DENSE: dense}, args.device, lr_size=args.lr_size, dtype=args.dtype, protocol=QUICK)
    memory_format = runtimes[DENSE].memory_format
    say(f"{args.checkpoint}: {len(graph.convs())} convolutions, {sum(len(site.numbers) for site in sites):,} gates; "
        f"{runtimes[DENSE].median_ms:.1f} ms dense, in {memory_format}")  # fmt: skip
    table = CostTable(
        args.device, args.dtype, memory_format, default_path(args.device, args.dtype, memory_format), report=report
    )
    costs, measurer = Costs(graph, args.lr_size, table), Measurer(args.device, args.dtype, memory_format)
    if "runtime" in args.limits:
        costs = costs.calibrated(flow(graph, kept), lambda: measurer.upscaling(dense, args.lr_size))
    tensors = {name: tensor.clone() for name, tensor in graph.module.state_dict().items()}
    setup = Setup(
        graph, tensors, kept, costs, absolute(args, costs, kept, runtimes[DENSE].median_ms), schedule_of(args), train,
        args.device, args.dtype, measurer, val, args.psnr_floor, args.subpixels,
        say,
    )  # fmt: skip
    return description, setup, val


def absolute(args: argparse.Namespace, costs: Costs, kept: Mapping[str, Kept], dense_ms: float) -> dict[Metric, float]:
    """Return the limits as Setup has them; raises InputError where the network is within them already."""
    limits: dict[Metric, float] = {}
    followed = flow(costs.graph, kept)
    for metric, (kind, number) in args.limits.items():
        dense = dense_ms if metric == "runtime" else costs.of(followed, metric)
        limit = number * dense if kind == "ratio" else number
        if args.psnr_floor is not None:
            limit = dense * FLOOR_STEP**FLOOR_ROUNDS
        if limit >= dense:
            raise InputError(f"the network is within its limit already: {metric} is {dense:g}, the limit {limit:g}")
        limits[metric] = limit / dense if metric == "runtime" else limit
    return limits


def schedule_of(args: argparse.Namespace) -> Schedule:
    """Return the rounds as the flags say."""
    return Schedule(
        rounds=args.rounds if args.psnr_floor is None else FLOOR_ROUNDS,
        tick_steps=args.tick_steps, tock_steps=args.tock_steps, batch=args.batch, patch=args.patch,
        learning_rate=args.learning_rate, tick_learning_rate=args.learning_rate / 20,
        distillation=args.distillation, seed=args.seed,
    )  # fmt: skip


def fine_tuning(args: argparse.Namespace, train: Pairs) -> Recipe | None:
    """Return how every network is trained on, None for not at all."""
    if not args.fine_tune_steps:
        return None
    return Recipe(
        steps=args.fine_tune_steps, batch=args.batch, patch=min(args.patch, train.smallest_side()),
        learning_rate=args.learning_rate, distillation=args.distillation, seed=args.seed,
    )  # fmt: skip


def names_of(args: argparse.Namespace) -> list[str]:
    """Return the arms, our own by their modes."""
    return [name for arm in args.arms for name in (args.mode if arm == OURS else [arm])]


def title_of(arm: str) -> str:
    """Return how an arm is called in the report."""
    return f"{OURS} ({arm})" if arm in MODES else arm


def name_of(title: str) -> str:
    """Return the folder of an arm."""
    return title.removeprefix(f"{OURS} (").removesuffix(")")


def by_all_arms(
    args: argparse.Namespace, description: Description, setup: Setup, teacher: nn.Module | None
) -> tuple[dict[str, Contender], list[str]]:
    """Prune by every arm; return what came of it, and a line per rival that cannot prune this network.

    Raises InputError where our own way cannot, or none.
    """
    contenders: dict[str, Contender] = {}
    left_out: list[str] = []
    for arm in names_of(args):
        try:
            contenders[title_of(arm)] = pruned_by(arm, args.out / arm, description, setup, teacher)
        except InputError as error:
            if arm in MODES:
                raise
            left_out.append(f"{arm} is left out: {error}")
            say(left_out[-1])
    if not contenders:
        raise InputError(f"no arm is left ({'; '.join(left_out)}); give --arms {OURS}")
    return contenders, left_out


def pruned_by(arm: str, folder: Path, description: Description, setup: Setup, teacher: nn.Module | None) -> Contender:
    """Prune by one arm, where an earlier run has not, and say how its convolutions run."""
    folder.mkdir(parents=True, exist_ok=True)
    pruned = prune(arm, setup, folder, teacher)
    for line in in_words(pruned.choices):
        say(f"{title_of(arm)}: {line}")
    say(f"{title_of(arm)}: masked and slim differ by at most {pruned.difference:.1e}")
    return contender(title_of(arm), pruned, description)


def finished(folder: Path, each: Contender) -> nn.Module | None:
    """Return the network that an earlier run fine-tuned, None where there is none of this plan."""
    path = folder / "network.pth"
    if not path.is_file():
        return None
    checkpoint = load(path)
    return checkpoint.build() if checkpoint.description == each.description else None


def ship(
    args: argparse.Namespace, contenders: Mapping[str, Contender], arms: list[Arm], left_out: Sequence[str]
) -> None:
    """Write the page, the figures and the best network, and say what it came to."""
    best = max((arm for arm in arms if arm.name != DENSE), key=lambda arm: (arm.name.startswith(OURS), arm.psnr))
    difference = export_onnx(contenders[best.name].network.cpu(), args.out / "network.onnx")
    notes = [
        f"{best.name} is exported as network.onnx, which differs from it by at most {difference:.1e} at three sizes.",
        "The dense network runs in the form that the pruned ones run in, its sums overwritten in place.",
        *left_out,
    ]
    write_text(
        args.out / "page.html", page(arms, title=f"Pruning {args.checkpoint.name}", command=args.command, notes=notes)
    )
    results: dict[str, Any] = to_json(arms) | {
        "command": args.command,
        "exported": best.name,
        "left_out": list(left_out),
    }
    write_json(args.out / "results.json", results)
    if args.json:
        write_json(args.json, results)
    for line in verdict(arms):
        say(line)
    say(f"page: {args.out / 'page.html'}; network: {args.out / name_of(best.name) / 'network.pth'}")


if __name__ == "__main__":
    sys.exit(run(main))

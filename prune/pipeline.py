"""Pruning from end to end: by every method, fine-tuned and measured side by side, the best one exported."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from prune.asked import begin, keep
from prune.compare import Contender, compared, contender, dense_contender, fine_tuned
from prune.config import PER_LAYER, PruneConfig
from prune.fallback import with_fallbacks
from prune.methods import Variant, variants_of
from prune.outcomes import DENSE, Outcome, Shipped
from prune.planning.arm_time import ArmTime
from prune.planning.keeper import TimeKeeper, TimeTaken, as_planned
from prune.planning.remembered import Planned
from prune.report import page, to_json
from prune.rewrite.execution import describe
from prune.run_file import write_pruning
from prune.setup import Setup, Timing, fine_tuning, set_up
from prune.shipping import ship
from prune.to_limits import prune_to_limits
from prune.verdict import verdict
from sr.checkpoint import Description, load, load_network
from sr.data.manifest import PICTURES, write_manifests
from sr.errors import InputError
from sr.files import as_path, write_json, write_text
from sr.measure.measurement import Measurement
from sr.measure.quality import bicubic_quality
from sr.model_card import MEASUREMENT
from sr.progress import Message, Report, no_report
from sr.report.sample_crops import keep_samples
from sr.report.samples import FOLDER as SAMPLES
from sr.report.samples import LISTED, read_samples
from sr.run_file import RUN_FILE
from sr.training.trainer import TrainingFailedError


@dataclass(frozen=True)
class PruneResult:
    """What a pruning came to.

    Attributes:
        outcomes: What each method came to; the dense network first.
        chosen: The name of the best, which is exported.
        paths: By the name of an outcome the checkpoint of its network.
        shipped: The file of the best in the engine that was asked for.
        left_out: A line per method that cannot prune this network.
        fallbacks: A line per network of ours that gave way to another method's.
        command: How it was asked for.
        folder: Where all results lie, page.html and network.onnx among them.
        time: What was planned and what it took, from where it began or went on.
    """

    outcomes: tuple[Outcome, ...]
    chosen: str
    paths: Mapping[str, Path]
    shipped: Shipped
    left_out: tuple[str, ...]
    fallbacks: tuple[str, ...]
    command: str
    folder: Path
    time: TimeTaken

    @property
    def measurements(self) -> dict[str, Measurement]:
        """The measurement of each network by its name, all taken in the same rounds."""
        return {outcome.name: outcome.measurement for outcome in self.outcomes}

    @property
    def network(self) -> nn.Module:
        """The chosen network, loaded from its checkpoint; in eval mode on the CPU."""
        return load_network(self.paths[self.chosen])

    @property
    def verdict(self) -> list[str]:
        """What pruning came to, in plain words, also where it lost."""
        return [*verdict(self.outcomes, self.shipped), *self.fallbacks]

    def to_json(self) -> dict[str, Any]:
        """Return the verdict and all figures as JSON values."""
        return to_json(self.outcomes, self.shipped) | {
            "command": self.command,
            "exported": self.chosen,
            "network": str(self.paths[self.chosen].relative_to(self.folder)),
            "left_out": list(self.left_out),
            "fallbacks": list(self.fallbacks),
            "seconds": asdict(self.time),
        }


def prune(
    checkpoint: str | os.PathLike[str],
    config: PruneConfig,
    *,
    report: Report = no_report,
    command: str | None = None,
    timing: Timing = Timing(),  # noqa: B008 - frozen
) -> PruneResult:
    """Prune a network until it is as fast or as small as asked, and prove it beside the dense one and other methods.

    Args:
        checkpoint: The network, as `sr.checkpoint.save` writes it; dense, or pruned before.
        config: What is asked for.
        report: Is told what goes on.
        command: How it was asked for, as the page shows it; None for this call.
        timing: How networks and parts of them are timed.

    Returns:
        The networks side by side, and the best of them.

    Raises:
        InputError: Where a file or a value is not as it should be, no plan stays within the limits, or no method can
            prune this network.
    """
    path = as_path(checkpoint)
    keeper = TimeKeeper(config, len(variants_of(config)))
    asked = begin(path, config)
    description, setup = set_up(path, replace(config, engine=asked["engine"]), report, timing)
    pictures = {name: each.identity for name, each in setup.manifests.items()}
    keep(config.folder, asked | {"engine": setup.target.engine}, pictures)
    write_manifests(config.folder / PICTURES, **setup.manifests)
    write_pruning(config.folder / RUN_FILE, path, config)
    try:
        made = keeper.plan(setup)
        contenders, left_out = _contenders(config, description, as_planned(setup, made), keeper, made)
    except TrainingFailedError as error:
        raise InputError(f"the training failed: {error}; try a smaller learning rate or batch") from error
    taken = compared(contenders, setup)
    outcomes, fallbacks = with_fallbacks(taken)
    best = max((each for each in outcomes if each.name != DENSE), key=lambda each: (each.is_ours, each.psnr))
    # Under which name the network lies that an outcome is of.
    origins = {name: name for name in contenders} | {each.name: each.source for each in fallbacks}
    folders = _folders(config)
    paths = {name: config.folder / folders[origin] / "network.pth" for name, origin in origins.items()}
    network = contenders[origins[best.name]].network
    shipped = ship(network, paths[best.name], setup, config.folder)
    dense = contenders[DENSE].network.cpu().float().eval()
    if not (config.folder / SAMPLES / LISTED).is_file():
        keep_samples(config.folder / SAMPLES, setup.val.to("cpu"), network.cpu().float().eval(), {DENSE: dense})
    shown = f"paretosr.prune({str(path)!r}, {config!r})" if command is None else command
    lines = tuple(each.line for each in fallbacks)
    result = PruneResult(
        outcomes, best.name, paths, shipped, tuple(left_out), lines, shown, config.folder, keeper.taken
    )
    _write(result, path.name)
    bicubic = asdict(bicubic_quality(setup.val, setup.target.device))
    for each in taken:
        # An export of one of them tells it in its card.
        write_json(config.folder / folders[each.name] / MEASUREMENT, each.measurement.to_json() | {"bicubic": bicubic})
    return result


def _folders(config: PruneConfig) -> dict[str, str]:
    """Return by the names of networks the folders that they lie in."""
    return {DENSE: DENSE} | {variant.title: variant.folder for variant in variants_of(config)}


def _contenders(
    config: PruneConfig, description: Description, setup: Setup, keeper: TimeKeeper, made: Planned
) -> tuple[dict[str, Contender], list[str]]:
    """Return the dense network and the pruned ones, all fine-tuned, and a line per method that is left out."""
    teacher = setup.dense() if config.distillation else None
    contenders = {DENSE: dense_contender(setup, description)}
    pruned, left_out = _by_all_methods(config, description, setup, teacher, keeper, made)
    contenders |= pruned
    steps = keeper.fine_tune_steps(made, [each.network for each in contenders.values()], setup)
    recipe = fine_tuning(config, setup.train, steps, setup.autotuned)
    folders = _folders(config)
    for name, each in contenders.items():
        folder = config.folder / folders[name]
        network = _finished(folder, each) or fine_tuned(each, recipe, setup, folder, teacher)
        contenders[name] = replace(each, network=network)
    return contenders, left_out


def _by_all_methods(
    config: PruneConfig,
    description: Description,
    setup: Setup,
    teacher: nn.Module | None,
    keeper: TimeKeeper,
    made: Planned,
) -> tuple[dict[str, Contender], list[str]]:
    """Prune by every method; return what came of it, and a line per other method that cannot prune this network.

    Raises InputError where our own method cannot, or none.
    """
    contenders: dict[str, Contender] = {}
    left_out: list[str] = []
    variants = variants_of(config)
    for number, variant in enumerate(variants):
        folder, arm_time = config.folder / variant.folder, keeper.arm(made, len(variants) - number)
        try:
            contenders[variant.title] = _pruned_by(variant, folder, description, setup, teacher, arm_time)
        except InputError as error:
            if variant.is_ours:
                raise
            left_out.append(f"{variant.title} is left out: {error}")
            setup.report(Message(left_out[-1]))
    if not contenders:
        raise InputError(f"no method is left ({'; '.join(left_out)}); ask for the method {PER_LAYER}")
    return contenders, left_out


def _pruned_by(
    variant: Variant,
    folder: Path,
    description: Description,
    setup: Setup,
    teacher: nn.Module | None,
    arm_time: ArmTime,
) -> Contender:
    """Prune by one method, where an earlier run has not, and report how its convolutions run."""
    folder.mkdir(parents=True, exist_ok=True)
    pruned = prune_to_limits(variant, setup, folder, teacher, arm_time)
    for line in describe(pruned.choices):
        setup.report(Message(f"{variant.title}: {line}"))
    setup.report(Message(f"{variant.title}: masked and slim differ by at most {pruned.difference:.1e}"))
    return contender(variant.title, pruned, description)


def _finished(folder: Path, each: Contender) -> nn.Module | None:
    """Return the network that an earlier run fine-tuned, None where there is none of this plan."""
    path = folder / "network.pth"
    if not path.is_file():
        return None
    checkpoint = load(path)
    return checkpoint.build() if checkpoint.description == each.description else None


def _write(result: PruneResult, source: str) -> None:
    """Write the page and the figures."""
    notes = [
        f"{result.chosen} is exported as network.onnx, "
        f"which differs from it by at most {result.shipped.difference:.1e} at five sizes.",
        "The dense network runs in the form that the pruned ones run in, its sums overwritten in place.",
        f"It {result.time.line}.",
        *result.left_out,
        *result.fallbacks,
    ]
    html = page(
        result.outcomes, title=f"Pruning {source}", command=result.command, notes=notes, shipped=result.shipped,
        samples=read_samples(result.folder / SAMPLES), paths=result.paths,
    )  # fmt: skip
    write_text(result.folder / "page.html", html)
    write_json(result.folder / "results.json", result.to_json())

"""The end of a search: the finalist measured again beside hand-designed networks, trained longer, and shipped."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from torch import nn

import baselines
from nas.course import Course
from nas.evaluate import REFERENCE, Setup, fits
from nas.rungs import drawn
from nas.trial import Trial, trained_once
from search_spaces.network import build
from sr.checkpoint import Checkpoint, Description, load_network, save
from sr.complexity import count
from sr.deployment import deploy, in_dtype
from sr.export import export_onnx
from sr.files import write_json
from sr.latency import Protocol, Runtime, conditions, measure_runtimes
from sr.measurement import Measurement
from sr.pairs import Pairs
from sr.quality import Quality, bicubic_quality, evaluate
from sr.recipe import Recipe
from sr.settling import seconds_per_step, settle
from sr.training import fit

FINALISTS = 3
# How finalists and rivals are timed, and how the trained network is.
BESIDE = Protocol(seconds=1.0, minimum_runs=30, hopeless_runs=3)
FINAL = Protocol(seconds=2.0, minimum_runs=50)
TRAINING_STATE = "training.state"
PASSES = 3
PLANNING_STEPS = 60
# The challenge's baseline and winner, and the winner of the year before: what every newcomer is compared with.
RIVALS = ("msrresnet", "imdn", "rfdn")


@dataclass(frozen=True)
class Finalist:
    """A trial measured again: `beside` in the same rounds as `rivals`, the hand-designed networks by name."""

    trial: Trial
    beside: Measurement
    rivals: Mapping[str, Measurement]


@dataclass(frozen=True)
class Chosen:
    """The network that a search ends with.

    measurement: runtime of the trained network and its quality on all validation pictures. bicubic: theirs.
    """

    finalist: Finalist
    recipe: Recipe
    measurement: Measurement
    bicubic: Quality

    @property
    def trial(self) -> Trial:
        """The trial that was chosen."""
        return self.finalist.trial


def pick(trials: Sequence[Trial], setup: Setup) -> Finalist | None:
    """Return the best trial that is within the budget when measured again; None where none is.

    Those that climbed further come first, then the better PSNR on the last rung: PSNRs of different rungs do not
    compare, and who was promoted was the best of its rung.
    """
    ranked = sorted(trained_once(trials), key=lambda trial: trial.standing, reverse=True)
    for start in range(0, len(ranked), FINALISTS):
        for finalist in measure_again(ranked[start : start + FINALISTS], setup):
            if finalist.beside.within(setup.budget_ms):
                return finalist
    return None


def again(trials: Sequence[Trial], number: int, setup: Setup) -> Finalist:
    """Return the trial of that number, chosen before, measured again."""
    return measure_again([trial for trial in trials if trial.number == number], setup)[0]


def measure_again(trials: Sequence[Trial], setup: Setup) -> list[Finalist]:
    """Measure trials, all in the same rounds and beside the rivals."""
    measured = measure_beside({f"#{trial.number}": build(trial.architecture) for trial in trials}, setup)
    rivals = {name: measured[name] for name in RIVALS if name in measured}
    return [Finalist(trial, measured[f"#{trial.number}"], rivals) for trial in trials]


def measure_beside(networks: Mapping[str, nn.Module], setup: Setup) -> dict[str, Measurement]:
    """Measure networks in the same rounds as the reference and those rivals that the memory can hold."""
    everything = {**networks, REFERENCE: build(setup.reference)}
    complexities = {name: count(network, setup.lr_size) for name, network in everything.items()}
    for name in RIVALS:
        rival = baselines.build(name)
        complexity = count(rival, setup.lr_size)
        if fits(complexity, setup.device):
            everything[name], complexities[name] = rival, complexity
    protocol = replace(BESIDE, hopeless_ms=2 * setup.budget_ms)
    runtimes = timed(everything, setup, protocol)
    place = conditions(setup.device, setup.lr_size, setup.dtype)
    reference_ms = runtimes[REFERENCE].median_ms
    return {name: Measurement(complexities[name], runtimes[name], place, reference_ms) for name in everything}


def timed(networks: Mapping[str, nn.Module], setup: Setup, protocol: Protocol) -> dict[str, Runtime]:
    """Measure under the setup's conditions."""
    return measure_runtimes(networks, setup.device, lr_size=setup.lr_size, dtype=setup.dtype, protocol=protocol)


def final_recipe(trial: Trial, course: Course, seconds: float, steps: int | None) -> Recipe:
    """Return the recipe of the long training: `steps`, or as many as fit into `seconds` on this device."""
    network, setup = build(trial.architecture), course.setup
    teacher = None if course.teacher is None else load_network(course.teacher)
    settled = settle(network, setup.recipe, setup.train, setup.device, teacher=teacher)
    if steps is not None:
        return replace(settled, steps=steps)
    if math.isinf(seconds):
        return replace(settled, steps=10 * setup.recipe.steps)
    step = seconds_per_step(network, settled, setup.train, setup.device, steps=PLANNING_STEPS, teacher=teacher)
    return replace(settled, steps=max(setup.recipe.steps, int(seconds / step)))


def train_and_ship(finalist: Finalist, recipe: Recipe, course: Course, val: Pairs, folder: Path) -> Chosen:
    """Train the chosen network, going on from `folder`/training.state where one is, measure it, and write it out.

    It starts from the supernet's weights where the course's trainings do, else from scratch. Leaves network.pth
    (deployed form), architecture.json, measurement.json and network.onnx in `folder`.
    """
    architecture, setup = finalist.trial.architecture, course.setup
    initial, teacher = (
        None if path is None else load_network(path) for path in (course.initial(architecture), course.teacher)
    )
    state = folder / TRAINING_STATE
    fitted = fit(
        drawn(architecture, recipe, initial), recipe, setup.train, setup.device,
        state=state, label="training the chosen", teacher=teacher,
    )  # fmt: skip
    network = deploy(fitted.network)
    quality = evaluate(in_dtype(network, setup.dtype), val, setup.device)
    bicubic = bicubic_quality(val, setup.device)
    measurement = replace(measure_trained(network, setup), quality=quality)
    save(folder / "network.pth", as_checkpoint(network.cpu(), finalist.trial, fitted.recipe, setup))
    write_json(folder / "architecture.json", architecture.to_json())
    write_json(folder / "measurement.json", measurement.to_json() | {"bicubic": asdict(bicubic)})
    export_onnx(network, folder / "network.onnx")
    state.unlink(missing_ok=True)
    return Chosen(finalist, fitted.recipe, measurement, bicubic)


def measure_trained(network: nn.Module, setup: Setup) -> Measurement:
    """Measure the trained network for longer than any candidate: this is the runtime that is reported.

    Over the budget it gets the challenge's three passes, of which the fastest counts: a machine shared with others has
    slow minutes.
    """
    protocol = replace(FINAL, hopeless_ms=4 * setup.budget_ms)
    place, complexity = conditions(setup.device, setup.lr_size, setup.dtype), count(network, setup.lr_size)
    passes: list[Measurement] = []
    while len(passes) < PASSES and not any(taken.within(setup.budget_ms) for taken in passes):
        runtimes = timed({"chosen": network, REFERENCE: build(setup.reference)}, setup, protocol)
        passes.append(Measurement(complexity, runtimes["chosen"], place, runtimes[REFERENCE].median_ms))
    return min(passes, key=lambda taken: taken.runtime.p90_ms)


def as_checkpoint(network: nn.Module, trial: Trial, recipe: Recipe, setup: Setup) -> Checkpoint:
    """Describe the deployed network for the disk."""
    return Checkpoint(
        Description("searched", trial.architecture.to_json()),
        network.state_dict(),
        deployed=True,
        recipe=asdict(recipe),
        provenance={"data": f"{len(setup.train)} training pictures", "trial": trial.number},
    )

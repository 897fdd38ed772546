"""The end of a search: the finalist measured again beside hand-designed networks, trained longer, and exported."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from torch import nn

import baselines
from nas.evaluate import REFERENCE, Setup
from nas.training.fidelity_schedule import FidelitySchedule
from nas.training.rung_training import initial_network
from nas.trial import Trial, trained_once
from search_spaces.network import build
from sr.checkpoint import Checkpoint, Description, load_network, save
from sr.data.pairs import Pairs
from sr.deployment import deploy
from sr.errors import InputError
from sr.files import write_json
from sr.measure.complexity import count
from sr.measure.latency import Protocol, Runtime, Subject, measure_subjects
from sr.measure.measurement import Measurement, measure
from sr.measure.quality import Quality, bicubic_quality
from sr.memory import fits
from sr.progress import Message, Report, no_report
from sr.quantization.calibration import calibration_pictures
from sr.shipping import ShippedFiles, judge, ship, subjects
from sr.training.autotune import autotune, seconds_per_step
from sr.training.fit import fit
from sr.training.recipe import Recipe
from sr.training.trainer import TrainingFailedError

_FINALISTS = 3
_TRAINING_STATE = "training.state"
_PASSES = 3
_TRAININGS = 3
# The challenge's baseline and winner, and the winner of the year before: what every newcomer is compared with.
_RIVALS = ("msrresnet", "imdn", "rfdn")


@dataclass(frozen=True)
class Finalist:
    """A trial measured again: `beside` in the same rounds as `rivals`, the hand-designed networks by name."""

    trial: Trial
    beside: Measurement
    rivals: Mapping[str, Measurement]


@dataclass(frozen=True)
class Chosen:
    """The network that a search ends with.

    measurement: runtime of what is shipped, in the target's engine, and the quality of its own output on all validation
    pictures. bicubic: theirs. engines: its runtime in every engine that is installed, by name.
    """

    finalist: Finalist
    recipe: Recipe
    measurement: Measurement
    bicubic: Quality
    engines: Mapping[str, Runtime]

    @property
    def trial(self) -> Trial:
        """The trial that was chosen."""
        return self.finalist.trial


def pick(trials: Sequence[Trial], setup: Setup, protocol: Protocol) -> Finalist | None:
    """Return the best trial that is within the budget when measured again; None where none is.

    Those that trained to a higher rung come first, then the better PSNR on the last rung: PSNRs of different rungs do
    not compare, and who was promoted was the best of its rung.
    """
    ranked = sorted(trained_once(trials), key=lambda trial: trial.sort_key, reverse=True)
    for start in range(0, len(ranked), _FINALISTS):
        for finalist in _measure_again(ranked[start : start + _FINALISTS], setup, protocol):
            if finalist.beside.within(setup.budget_ms):
                return finalist
    return None


def pick_again(trials: Sequence[Trial], number: int, setup: Setup, protocol: Protocol) -> Finalist:
    """Return the trial of that number, chosen before, measured again."""
    return _measure_again([trial for trial in trials if trial.number == number], setup, protocol)[0]


def _measure_again(trials: Sequence[Trial], setup: Setup, protocol: Protocol) -> list[Finalist]:
    """Measure trials, all in the same rounds and beside the rivals."""
    measured = _measure_beside({f"#{trial.number}": build(trial.architecture) for trial in trials}, setup, protocol)
    rivals = {name: measured[name] for name in _RIVALS if name in measured}
    return [Finalist(trial, measured[f"#{trial.number}"], rivals) for trial in trials]


def _measure_beside(networks: Mapping[str, nn.Module], setup: Setup, protocol: Protocol) -> dict[str, Measurement]:
    """Measure networks in the same rounds as the reference and those rivals that the memory can hold."""
    everything = {**networks, REFERENCE: build(setup.reference)}
    for name in _RIVALS:
        rival = baselines.build(name)
        if fits(count(rival, setup.target.lr_size).memory, setup.target.device):
            everything[name] = rival
    limited = replace(protocol, early_stop_ms=2 * setup.budget_ms)
    return measure(everything, setup.target, limited, reference=REFERENCE)


def final_recipe(
    trial: Trial, fidelity: FidelitySchedule, seconds: float, steps: int | None, planning_steps: int
) -> Recipe:
    """Return the recipe of the long training: `steps`, or as many as fit into `seconds` on this device."""
    network, setup = build(trial.architecture), fidelity.setup
    teacher = None if fidelity.teacher is None else load_network(fidelity.teacher)
    device = setup.target.device
    autotuned = autotune(network, setup.recipe, setup.train, device, teacher=teacher)
    if steps is not None:
        return replace(autotuned, steps=steps)
    if math.isinf(seconds):
        return replace(autotuned, steps=10 * setup.recipe.steps)
    step = seconds_per_step(network, autotuned, setup.train, device, steps=planning_steps, teacher=teacher)
    return replace(autotuned, steps=max(setup.recipe.steps, int(seconds / step)))


def train_and_ship(
    finalist: Finalist,
    recipe: Recipe,
    fidelity: FidelitySchedule,
    val: Pairs,
    folder: Path,
    protocol: Protocol,
    *,
    on_recipe: Callable[[Recipe], None],
    report: Report = no_report,
) -> Chosen:
    """Train and ship the finalist; a training that diverges starts again at a third of the rate, twice at the most.

    on_recipe: is told of each recipe that takes the place of the one before. The rest is `_train_and_ship_once`'s.

    Raises:
        InputError: Where the last training diverges too.
    """
    for attempt in range(1, _TRAININGS + 1):
        try:
            return _train_and_ship_once(finalist, recipe, fidelity, val, folder, protocol, report=report)
        except TrainingFailedError as error:
            if attempt == _TRAININGS:
                raise InputError(f"the training failed three times: {error}; try another --seed or --batch") from error
            recipe = replace(recipe, learning_rate=recipe.learning_rate / 3)
            again = f"again at a learning rate of {recipe.learning_rate:.1e}"
            report(Message(f"the training failed: {error}; {again}"))
            (folder / _TRAINING_STATE).unlink(missing_ok=True)
            on_recipe(recipe)
    raise AssertionError("the last attempt returns or raises")


def _train_and_ship_once(
    finalist: Finalist,
    recipe: Recipe,
    fidelity: FidelitySchedule,
    val: Pairs,
    folder: Path,
    protocol: Protocol,
    *,
    report: Report = no_report,
) -> Chosen:
    """Train the chosen network, going on from `folder`/training.state where one is, measure it, and write it out.

    It starts from the supernet's weights where the candidates' trainings do, else from scratch. Leaves network.pth
    (deployed form), architecture.json, measurement.json and what `ship` writes in `folder`.

    Raises:
        TrainingFailedError: As `fit` does.
    """
    architecture, setup = finalist.trial.architecture, fidelity.setup
    device = setup.target.device
    initial, teacher = (
        None if path is None else load_network(path) for path in (fidelity.initial(architecture), fidelity.teacher)
    )
    state = folder / _TRAINING_STATE
    fitted = fit(
        initial_network(architecture, recipe, initial), recipe, setup.train, device,
        state=state, label="training the chosen", teacher=teacher, report=report,
    )  # fmt: skip
    network = deploy(fitted.network)
    save(folder / "network.pth", _as_checkpoint(network, finalist.trial, fitted.recipe, setup))
    shipped = ship(network, setup.target, folder, calibration_pictures(setup.train))
    measurement, engines = _measure_shipped(shipped, network, setup, protocol)
    measurement = replace(measurement, quality=judge(shipped, network, val))
    bicubic = bicubic_quality(val, device)
    write_json(folder / "architecture.json", architecture.to_json())
    more = {"bicubic": asdict(bicubic), "engines": {name: asdict(runtime) for name, runtime in engines.items()}}
    write_json(folder / "measurement.json", measurement.to_json() | more)
    state.unlink(missing_ok=True)
    return Chosen(finalist, fitted.recipe, measurement, bicubic, engines)


def _measure_shipped(
    shipped: ShippedFiles, network: nn.Module, setup: Setup, protocol: Protocol
) -> tuple[Measurement, dict[str, Runtime]]:
    """Measure what is shipped for longer than any candidate: this is the runtime that is reported.

    Over the budget it gets the challenge's three passes, of which the fastest counts: a machine shared with others has
    slow minutes.

    Returns:
        The measurement in the target's engine, without quality; and the runtime in every engine by its name.
    """
    target, limited = setup.target, replace(protocol, early_stop_ms=4 * setup.budget_ms)
    timed = {**subjects(shipped, network), REFERENCE: Subject(build(setup.reference), target)}
    passes: list[dict[str, Runtime]] = []
    while len(passes) < _PASSES and not any(taken[target.engine].p90_ms <= setup.budget_ms for taken in passes):
        passes.append(measure_subjects(timed, limited))
    runtimes = min(passes, key=lambda taken: taken[target.engine].p90_ms)
    reference_ms = runtimes.pop(REFERENCE).median_ms
    complexity = count(network, target.lr_size)
    return Measurement(complexity, runtimes[target.engine], target.conditions, reference_ms), runtimes


def _as_checkpoint(network: nn.Module, trial: Trial, recipe: Recipe, setup: Setup) -> Checkpoint:
    """Describe the deployed network for the disk."""
    return Checkpoint(
        Description("searched", trial.architecture.to_json()),
        network.state_dict(),
        deployed=True,
        recipe=asdict(recipe),
        provenance={"data": f"{len(setup.train)} training pictures", "trial": trial.number},
    )

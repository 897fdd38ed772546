"""The end of a search: the finalist measured again beside hand-designed networks, trained longer, and exported."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from torch import nn

from baselines.at_budget import Size
from nas.config.measurement_plan import MeasurementPlan
from nas.evaluate import REFERENCE, Setup, measure_untrained, on_target
from nas.packed_files import PackedFiles
from nas.playoff import Playoff
from nas.training.fidelity_schedule import FidelitySchedule
from nas.training.rung_training import initial_network
from nas.trial import Trial, trained_once
from nas.verdict import rough_verdict_on, verdict_on
from search_spaces.architecture import Architecture
from search_spaces.kinds import SYMMETRIC
from search_spaces.network import build
from sr.checkpoint import Checkpoint, Description, load_network, save
from sr.data.pairs import Pairs
from sr.deployment import deploy
from sr.errors import InputError
from sr.files import write_json
from sr.measure.calm_speed import CalmSpeed
from sr.measure.complexity import count
from sr.measure.latency import Runtime, Subject, measure_subjects
from sr.measure.measurement import Measurement
from sr.measure.quality import Quality, bicubic_quality
from sr.progress import Message, Phase, Report, no_report
from sr.quantization.calibration import calibration_pictures
from sr.report.sample_crops import keep_shipped_samples
from sr.report.samples import FOLDER as SAMPLES
from sr.shipping import ShippedFiles, judge, ship, subjects
from sr.training.autotune import autotune, seconds_per_step
from sr.training.fit import fit
from sr.training.recipe import Recipe
from sr.training.trainer import TrainingFailedError

_FINALISTS = 2
# Under Adam the eight copies of a tied weight move as one: of 0.001, 0.002, 0.003 and 0.006 a quarter of the steps of a
# league chose this for each of 15 symmetric blocks or more, and mostly more for others (docs/results.md).
_SYMMETRIC_RATE = 2e-3
_TRAINING_STATE = "training.state"
_TRAININGS = 3
# Measurements of what is shipped: so many at least where they are over the budget, so many at most until one was calm.
_PASSES, _MOST_PASSES = 3, 6


@dataclass(frozen=True)
class Finalist:
    """A trial measured again: `beside` in the same rounds as `rivals`, hand-designed networks of the budget by name."""

    trial: Trial
    beside: Measurement
    rivals: Mapping[str, Measurement]


@dataclass(frozen=True)
class Chosen:
    """The network that a search ends with.

    Attributes:
        finalist: The trial, and what stood beside it.
        recipe: Of its long training.
        measurement: Runtime of what is shipped, in the target's engine, and the quality of its own output on all
            validation pictures.
        bicubic: Theirs.
        engines: Its runtime in every engine that is installed, by name.
        calm_p90_ms: What nine of its runs of ten keep to at the device's calm speed, where it was never calm while the
            runtime was taken; None where it was.
        playoff: What the finalists reached after equal steps; None where they were not trained on.
        rival_quality: Of hand-designed networks that were trained alike, by name.
    """

    finalist: Finalist
    recipe: Recipe
    measurement: Measurement
    bicubic: Quality
    engines: Mapping[str, Runtime]
    calm_p90_ms: float | None = None
    playoff: Playoff | None = None
    rival_quality: Mapping[str, Quality] = field(default_factory=dict)

    @property
    def trial(self) -> Trial:
        """The trial that was chosen."""
        return self.finalist.trial


def finalists(
    trials: Sequence[Trial],
    control: Trial | None,
    rivals: Sequence[Size],
    setup: Setup,
    calm: CalmSpeed,
    plan: MeasurementPlan,
    report: Report = no_report,
) -> list[Finalist]:
    """Return the best trials that are within the budget when measured again, and the control where it is.

    Those that trained to a higher rung come first, then the better PSNR on the last rung: PSNRs of different rungs do
    not compare, and who was promoted was the best of its rung.

    Args:
        trials: Of the study.
        control: The best of what was there before the search; None where there is none.
        rivals: Hand-designed networks that are measured in the same rounds.
        setup: With the budget.
        calm: How fast the device is when nothing disturbs it.
        plan: How they are timed, and for how long.
        report: Is told where the rivals cannot be measured.

    Returns:
        At most two, the best first, and the control; nothing where no trial is within the budget.
    """
    ranked = sorted(trained_once(trials), key=lambda trial: trial.sort_key, reverse=True)
    found: list[Finalist] = []
    for start in range(0, len(ranked), _FINALISTS):
        wanted = [each for each in ranked[start : start + _FINALISTS] if each is not control]
        if control is not None and start == 0:
            wanted.append(control)
        measured = _measure_again(wanted, rivals, setup, calm, plan, report)
        found += [each for each in measured if _keeps_to(each.beside, calm, setup.budget_ms)]
        if any(each.trial is not control for each in found) or len(found) >= _FINALISTS:
            break
    return sorted(found, key=lambda each: each.trial.sort_key, reverse=True)


def finalist_again(
    trials: Sequence[Trial],
    number: int,
    rivals: Sequence[Size],
    setup: Setup,
    calm: CalmSpeed,
    plan: MeasurementPlan,
    report: Report = no_report,
) -> Finalist:
    """Return the trial of that number, chosen before, measured again."""
    return _measure_again([each for each in trials if each.number == number], rivals, setup, calm, plan, report)[0]


def _measure_again(
    trials: Sequence[Trial],
    rivals: Sequence[Size],
    setup: Setup,
    calm: CalmSpeed,
    plan: MeasurementPlan,
    report: Report,
) -> list[Finalist]:
    """Measure trials, in the same rounds and beside the rivals, until the device was calm, for some seconds."""
    networks = {f"#{trial.number}": trial.architecture for trial in trials}
    everything: dict[str, Architecture | Size] = {**networks, REFERENCE: setup.reference}
    everything |= {each.title: each for each in rivals}
    limited = replace(plan.beside, early_stop_ms=2 * setup.budget_ms)
    passes, began = list[dict[str, Measurement]](), time.monotonic()
    while len(passes) < _PASSES and (not passes or time.monotonic() - began < plan.finalists_seconds):
        try:
            measured = measure_untrained(everything, setup, limited, reference=REFERENCE)
        except InputError as error:
            if not rivals:
                raise
            # The engine lacks an operator of one of them: the search does not hang on it.
            report(Message(f"no hand-designed network stands beside the chosen one: {error}"))
            return _measure_again(trials, [], setup, calm, plan, report)
        passes.append(measured)
        if all(calm.was_calm(measured[name]) for name in networks):
            break
    # The last where it was calm.
    measured = min(reversed(passes), key=lambda each: sum(not calm.was_calm(each[name]) for name in networks))
    beside = {each.title: measured[each.title] for each in rivals}
    beside = {title: each for title, each in beside.items() if _keeps_to(each, calm, setup.budget_ms)}
    return [Finalist(trial, measured[f"#{trial.number}"], beside) for trial in trials]


def _keeps_to(measurement: Measurement, calm: CalmSpeed, budget_ms: float) -> bool:
    """Return whether a finalist is within the budget, by the likelier verdict where the device was never calm."""
    verdict = verdict_on(measurement, calm, budget_ms)
    if verdict == "put off":
        verdict = rough_verdict_on(calm.calm_ms(measurement), calm, budget_ms)
    return verdict == "within"


def final_recipe(
    trial: Trial, fidelity: FidelitySchedule, seconds: float, steps: int | None, planning_steps: int
) -> Recipe:
    """Return the recipe of the long training: `steps`, or as many as fit into `seconds` on this device.

    Its learning rate is lower for symmetric blocks.
    """
    network, setup = build(trial.architecture), fidelity.setup
    teacher = None if fidelity.teacher is None else load_network(fidelity.teacher)
    device = setup.target.device
    rate = setup.recipe.learning_rate
    if any(block.kind in SYMMETRIC for block in trial.architecture.canonical.blocks):
        rate = min(rate, _SYMMETRIC_RATE)
    recipe = replace(setup.recipe, learning_rate=rate)
    autotuned = autotune(network, recipe, setup.train, device, teacher=teacher)
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
    calm: CalmSpeed,
    plan: MeasurementPlan,
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
            return _train_and_ship_once(finalist, recipe, fidelity, val, folder, calm, plan, report=report)
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
    calm: CalmSpeed,
    plan: MeasurementPlan,
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
    report(Phase("writing the network for every engine"))
    shipped = ship(network, setup.target, folder, calibration_pictures(setup.train))
    report(Phase(f"measuring what is shipped, and judging it on {len(val)} validation pictures"))
    if setup.measurer is None:
        measurement, engines = _measure_shipped(shipped, network, setup, calm, plan)
    else:
        measurement, engines = on_target(setup, _measure_packed, PackedFiles.of(shipped), calm, plan)
    measurement = replace(measurement, quality=judge(shipped, network, val))
    keep_shipped_samples(folder.parent / SAMPLES, shipped, network, val)
    bicubic = bicubic_quality(val, device)
    write_json(folder / "architecture.json", architecture.to_json())
    more = {"bicubic": asdict(bicubic), "engines": {name: asdict(runtime) for name, runtime in engines.items()}}
    write_json(folder / "measurement.json", measurement.to_json() | more)
    state.unlink(missing_ok=True)
    calm_p90_ms = None if calm.was_calm(measurement) else calm.calm_p90_ms(measurement)
    return Chosen(finalist, fitted.recipe, measurement, bicubic, engines, calm_p90_ms)


def _measure_packed(
    setup: Setup, packed: PackedFiles, calm: CalmSpeed, plan: MeasurementPlan
) -> tuple[Measurement, dict[str, Runtime]]:
    """Measure what is shipped on the target's node; see `_measure_shipped`."""
    with packed.unpacked() as (shipped, network):
        return _measure_shipped(shipped, network, setup, calm, plan)


def _measure_shipped(
    shipped: ShippedFiles, network: nn.Module, setup: Setup, calm: CalmSpeed, plan: MeasurementPlan
) -> tuple[Measurement, dict[str, Runtime]]:
    """Measure what is shipped for longer than any candidate: this is the runtime that is reported, as it was taken.

    It is taken again until the device is calm, six times at the most and within the seconds of the plan; over the
    budget it gets the challenge's three passes, of which the fastest counts.

    Returns:
        The measurement in the target's engine, without quality; and the runtime in every engine by its name.
    """
    target, limited = setup.target, replace(plan.trained, early_stop_ms=4 * setup.budget_ms)
    timed = {**subjects(shipped, network), REFERENCE: Subject(build(setup.reference), target)}
    complexity = count(network, target.lr_size)
    passes: list[tuple[Measurement, dict[str, Runtime]]] = []
    began = time.monotonic()
    while len(passes) < _MOST_PASSES and (not passes or time.monotonic() - began < plan.shipped_seconds):
        runtimes = measure_subjects(timed, limited)
        reference_ms = runtimes.pop(REFERENCE).median_ms
        taken = Measurement(complexity, runtimes[target.engine], target.conditions, reference_ms)
        passes.append((taken, runtimes))
        were_calm = [each for each, _ in passes if calm.was_calm(each)]
        if any(each.within(setup.budget_ms) for each in were_calm) or len(were_calm) >= _PASSES:
            break
    return min(passes, key=lambda each: (not calm.was_calm(each[0]), each[0].runtime.p90_ms))


def _as_checkpoint(network: nn.Module, trial: Trial, recipe: Recipe, setup: Setup) -> Checkpoint:
    """Describe the deployed network for the disk."""
    return Checkpoint(
        Description("searched", trial.architecture.to_json()),
        network.state_dict(),
        deployed=True,
        recipe=asdict(recipe),
        provenance={"data": f"{len(setup.train)} training pictures", "trial": trial.number},
    )

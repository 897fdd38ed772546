"""The end of a search: finalists measured and trained on, the best one trained, shipped and reported."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from baselines.at_budget import Size, scalable_families
from nas.config.measurement_plan import MeasurementPlan
from nas.config.search import SearchConfig
from nas.finalize import Finalist, final_recipe, finalist_again, finalists, train_and_ship
from nas.known_device import KnownDevice
from nas.learning_curve import long_training_steps
from nas.playoff import SHARE, Playoff, best_control, play_off
from nas.predictors.surrogate import Surrogate
from nas.report.closing import closing_lines, nothing_within
from nas.report.ending import keep_ending
from nas.report.page import write_page
from nas.report.run import JOURNAL, run_of
from nas.report.tables import write_tables
from nas.result import SearchResult
from nas.rivals import SHOWN, rivals_of, trained_alike
from nas.study import Study
from nas.time_budget import TimeBudget
from nas.training.executor import executor
from nas.training.fidelity_schedule import FidelitySchedule
from nas.training.worker_state import WorkerState
from nas.trial import Trial, trained_once
from nas.verdict import calm_speed
from sr.data.pairs import Pairs
from sr.executors.executor import Executor
from sr.files import write_text
from sr.measure.calm_speed import CalmSpeed
from sr.progress import Message, Phase, Report
from sr.report.sample_crops import add_rival
from sr.report.samples import FOLDER as SAMPLES
from sr.training.recipe import Recipe


def finish(
    config: SearchConfig,
    study: Study,
    fidelity: FidelitySchedule,
    surrogate: Surrogate,
    known: KnownDevice,
    time_budget: TimeBudget,
    val: Pairs,
    plan: MeasurementPlan,
    report: Report,
) -> SearchResult:
    """Choose, train and ship, and write what is left to read."""
    trials, out, setup = study.trials, Path(config.out), fidelity.setup
    write_tables(out, trials)
    surrogate.observe(trials)
    if not trained_once(trials):
        return _without_a_network(config, study, setup.budget_ms)
    calm = calm_speed(trials, known_ms=known.calm_ms(setup.target.lr_size))
    latency = known.predictor(setup.target.lr_size) if surrogate.latency is None else surrogate.latency
    report(Phase("looking for hand-designed networks of this budget"))
    families = scalable_families(setup.scale)
    asked = config.rivals_of(families)
    shown = dict.fromkeys(name for name in (*SHOWN, *asked) if name in families)
    rivals = rivals_of(tuple(shown), setup, latency.model)
    found = _choose(config, study, fidelity, rivals, calm, time_budget, plan, report)
    if found is None:
        return _without_a_network(config, study, setup.budget_ms)
    finalist, recipe, playoff = found
    summary = finalist.trial.architecture.summary
    report(Message(f"chosen: trial {finalist.trial.number}, {summary}; training it for {recipe.steps:,} steps"))

    def remember(recipe: Recipe) -> None:
        study.remember({"final_recipe": asdict(recipe)})

    chosen = train_and_ship(
        finalist, recipe, fidelity, val, out / "chosen", calm, plan, on_recipe=remember, report=report
    )
    within = [each for each in rivals if each.title in finalist.rivals]
    keep = partial(add_rival, out / SAMPLES, val)
    with _others(config, fidelity, report) if any(each.name in asked for each in within) else nullcontext() as pool:
        quality = trained_alike(within, asked, chosen.recipe, setup, val, report, keep, fidelity.teacher, pool)
    chosen = replace(chosen, playoff=playoff, rival_quality=quality)
    lines = closing_lines(trials, chosen, fidelity, surrogate.describe())
    keep_ending(out, chosen)
    drawn = _closed(config, study, lines)
    return SearchResult(out, setup.budget_ms, tuple(trials), chosen, tuple(lines), plot_is_drawn=drawn)


def _others(
    config: SearchConfig, fidelity: FidelitySchedule, report: Report
) -> AbstractContextManager[Executor[WorkerState] | None]:
    """Return who trains rivals, all at once, on a cluster; None for this process."""
    if config.cluster is None:
        return nullcontext()
    report(Phase("training hand-designed networks on the nodes of the cluster"))
    return executor(config.workers, fidelity.setup, fidelity.bucket or fidelity.folder, report=report)


def _without_a_network(config: SearchConfig, study: Study, budget_ms: float) -> SearchResult:
    """Write what is left to read where nothing was within the budget; the same command with --resume goes on."""
    trials = study.trials
    lines = (nothing_within(trials, budget_ms, config.seconds),)
    drawn = _closed(config, study, lines)
    return SearchResult(Path(config.out), budget_ms, tuple(trials), None, lines, plot_is_drawn=drawn)


def _closed(config: SearchConfig, study: Study, lines: Sequence[str]) -> bool:
    """Write the closing lines and the page, and return whether a picture of its plot was drawn too."""
    out = Path(config.out)
    study.remember({"phase": "done"})
    write_text(out / "closing.txt", "\n".join(lines) + "\n")
    return write_page(run_of(out, study.settings, study.trials, config.storage or str(out / JOURNAL), config.study))


def _choose(
    config: SearchConfig,
    study: Study,
    fidelity: FidelitySchedule,
    rivals: Sequence[Size],
    calm: CalmSpeed,
    time_budget: TimeBudget,
    plan: MeasurementPlan,
    report: Report,
) -> tuple[Finalist, Recipe, Playoff | None] | None:
    """Return the finalist, the recipe of its long training and what the finalists reached after equal steps.

    Those of the record where they are in it; None where no trial is within the budget when measured again.
    """
    trials, settings, setup = study.trials, study.settings, fidelity.setup
    if settings["phase"] == "training":
        finalist = finalist_again(trials, settings["chosen"], rivals, setup, calm, plan, report)
        playoff = None if settings["playoff"] is None else Playoff.from_json(settings["playoff"])
        return finalist, Recipe(**settings["final_recipe"]), playoff
    # An earlier version did not keep what it began with: the seeds of the space.
    begun_with = settings.get("begun_with") or [seed.key for seed in config.search_space.seeds]
    control = best_control(trials, begun_with) if config.use_seeds else None
    report(Phase("measuring the finalists beside hand-designed networks"))
    picked = finalists(trials, control, rivals, setup, calm, plan, report)
    if not picked:
        return None
    playoff = _play_off(picked, control, fidelity, time_budget, config.train_steps, report)
    number = picked[0].trial.number if playoff is None else playoff.winner
    finalist = next(each for each in picked if each.trial.number == number)
    report(Phase("planning the long training"))
    seconds = time_budget.training_seconds()
    recipe = final_recipe(finalist.trial, fidelity, seconds, config.train_steps, plan.planning_steps)
    chosen = {"phase": "training", "chosen": number, "final_recipe": asdict(recipe)}
    study.remember(chosen | {"playoff": None if playoff is None else playoff.to_json()})
    return finalist, recipe, playoff


def _play_off(
    picked: Sequence[Finalist],
    control: Trial | None,
    fidelity: FidelitySchedule,
    time_budget: TimeBudget,
    train_steps: int | None,
    report: Report,
) -> Playoff | None:
    """Train the finalists on side by side for a share of the time that is left; without a limit not at all.

    train_steps: of the long training; None for as many as its time allows.
    """
    left = time_budget.training_seconds()
    if not math.isfinite(left):
        return None
    seconds = SHARE * left
    trials = [each.trial for each in picked]
    report(Phase(f"training {len(trials)} finalists on side by side", seconds))
    with executor(1, fidelity.setup) as one_by_one:
        return play_off(
            [each for each in trials if each is not control], control if control in trials else None, fidelity,
            one_by_one, seconds, lambda rungs: long_training_steps(rungs, left - seconds, train_steps), report=report,
        )  # fmt: skip

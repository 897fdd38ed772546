"""Command: find, train and ship the x4 network with the best PSNR within a runtime budget on this device."""

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from torch import nn

from nas.confirm import TRAINING_STATE, Chosen, Finalist, again, final_recipe, pick, train_and_ship
from nas.course import TRAINED_RUNGS, Course, course
from nas.crew import MOST_AT_ONCE, Crew, best_crew
from nas.crew import in_words as crew_in_words
from nas.engine import Engine, Proposer, Terms
from nas.evaluate import Setup, measure_cost
from nas.flags import parse, time_limit
from nas.foresight import Foresight, measure_pieces
from nas.loop import Search
from nas.nni_engine import NniProposer
from nas.opening import is_begun, open_engine, teacher_of
from nas.preparation import load_data, make_setup
from nas.proposers import ENGINES
from nas.raising import raised
from nas.report import closing_lines, write_page, write_tables
from nas.runtime_table import open_table
from nas.schedule import Schedule
from nas.trial import Trial
from search_spaces import SPACES
from search_spaces.network import build
from search_spaces.space import SearchSpace
from sr.command import DONE, INTERRUPTED, NOTHING_MEETS_BUDGET, run, say
from sr.complexity import count
from sr.errors import InputError
from sr.files import write_json, write_text
from sr.latency import conditions
from sr.lr_size import size_text
from sr.pairs import Pairs
from sr.progress import duration
from sr.recipe import Recipe
from sr.settling import seconds_per_step, settle
from sr.trainer import TrainingFailedError

# Of the time limit, for the pieces of a device that was not met before.
PIECES_SHARE = 0.15
# Without a time limit.
PIECES_SECONDS = 300.0
# Finding out how many trainings at once are fastest takes half a minute.
WORTH_A_CREW_SECONDS = 900.0


def main(argv: list[str] | None = None) -> int:
    """Search, choose, train and ship; returns the exit code."""
    args = parse(argv)
    space = SPACES[args.space]
    schedule = Schedule(time_limit(args), args.trials)
    train, val = load_data(args)
    setup = make_setup(args, args.trial_steps or schedule.trial_steps(TRAINED_RUNGS[args.quality]), train, val)
    setup = replace(setup, recipe=replace(setup.recipe, distillation=args.distillation))
    introduce(setup, space, train, val)
    if args.dry_run:
        return estimate(setup, schedule, teacher_of(args))
    exists = is_begun(args)
    proposer, foresight = proposer_of(args), foresight_of(args, setup, space, schedule, measure=not exists)
    engine, setup = open_engine(args, space, setup, proposer, foresight, exists=exists)
    try:
        climbed = course_of(args, space, setup, foresight, schedule)
        foresight.ladder, foresight.possible = climbed.ladder, lambda each: not climbed.outside(each)
        if engine.settings["phase"] != "training":
            explore(engine, climbed, foresight, schedule, args)
        return finish(engine, climbed, foresight, schedule, val.to(setup.device), args)
    except KeyboardInterrupt:
        write_tables(args.out, engine.trials)
        say(f"interrupted with {len(engine.trials)} trials recorded; the same command with --resume goes on")
        return INTERRUPTED


def introduce(setup: Setup, space: SearchSpace, train: Pairs, val: Pairs) -> None:
    """Say what is about to be searched, on what."""
    place = conditions(setup.device, setup.lr_size, setup.dtype)
    say(f"space {space.name}: {space.size:.2e} descriptions, {space.networks:.2e} different networks")
    size = size_text(setup.lr_size)
    say(f"budget {setup.budget_ms:g} ms for {size} LR, {setup.dtype}, {place.device}, {place.threads} threads")
    say(f"pictures: {len(train)} to train on, {len(val)} to validate on; {setup.recipe.steps} steps a candidate")


def proposer_of(args: argparse.Namespace) -> Callable[[Terms], Proposer]:
    """Return what makes proposals."""
    return partial(NniProposer, tuner=args.nni_tuner) if args.engine == "nni" else ENGINES[args.engine]


def foresight_of(
    args: argparse.Namespace, setup: Setup, space: SearchSpace, schedule: Schedule, *, measure: bool
) -> Foresight:
    """Return what the search expects of runtimes, once the pieces of the networks are measured on this device.

    measure: whether they still may be; a resumed search knows what it knew.
    """
    # The law of the ladder speaks before minutes of measuring.
    steps = course(args.quality, setup, args.out).ladder
    table = open_table(
        setup.device, setup.dtype, setup.lr_size, hopeless_ms=setup.budget_ms,
        report=lambda line: say(line, to_stderr=True),
    )  # fmt: skip
    if measure:
        seconds = PIECES_SHARE * schedule.seconds if math.isfinite(schedule.seconds) else PIECES_SECONDS
        if not measure_pieces(table, space, seconds):
            say(f"the pieces of this device's networks are known in part after {duration(seconds)}; "
                "networks of others are measured without a prediction")  # fmt: skip
    return Foresight(table, setup, steps)


def course_of(
    args: argparse.Namespace, space: SearchSpace, setup: Setup, foresight: Foresight, schedule: Schedule
) -> Course:
    """Return how candidates are judged, the supernet trained where one is asked for."""
    supernet = None
    if "supernet" in (args.quality, args.init):
        supernet = raised(space, setup, foresight.promising, schedule.supernet_seconds, args.out)
    return course(args.quality, setup, args.out / "candidates", supernet, args.teacher)


def explore(
    engine: Engine, climbed: Course, foresight: Foresight, schedule: Schedule, args: argparse.Namespace
) -> None:
    """Search, with as many trainings at once as are fastest here."""
    engine.remember(engine.settings | {"phase": "search"})
    setup = climbed.setup
    workers = args.crew
    if workers is None:
        workers = 1
        if schedule.seconds >= WORTH_A_CREW_SECONDS and args.quality != "supernet":
            speeds = best_crew(setup, setup.reference, most=MOST_AT_ONCE)
            say(crew_in_words(speeds))
            workers = speeds.best
    with Crew(workers, setup) as crew:
        Search(engine, climbed, crew, schedule, foresight, args.out, args.patience).run()


def finish(
    engine: Engine, climbed: Course, foresight: Foresight, schedule: Schedule, val: Pairs, args: argparse.Namespace
) -> int:
    """Choose, train and ship, and say so; exit code 3 where nothing is within the budget."""
    trials, settings, setup = engine.trials, engine.settings, climbed.setup
    write_tables(args.out, trials)
    if settings["phase"] == "training":
        finalist = again(trials, settings["chosen"], setup)
        recipe = Recipe(**settings["final_recipe"])
    else:
        found = pick(trials, setup)
        if found is None:
            return nothing_within(trials, setup.budget_ms)
        finalist = found
        recipe = final_recipe(finalist.trial, climbed, schedule.training_seconds(), args.train_steps)
        chosen = {"phase": "training", "chosen": finalist.trial.number, "final_recipe": asdict(recipe)}
        engine.remember(settings | chosen)
    trial = finalist.trial
    say(f"chosen: trial {trial.number}, {trial.architecture.summary}; training it for {recipe.steps:,} steps")
    shipped = train_patiently(engine, finalist, recipe, climbed, val, args.out / "chosen")
    engine.remember(engine.settings | {"phase": "done"})
    foresight.learn(trials)
    report(shipped, trials, climbed, foresight, args)
    return DONE if shipped.measurement.within(setup.budget_ms) else NOTHING_MEETS_BUDGET


def train_patiently(
    engine: Engine, finalist: Finalist, recipe: Recipe, climbed: Course, val: Pairs, folder: Path
) -> Chosen:
    """Train and ship the finalist; a training that diverges starts again at a third of the rate, twice at the most."""
    tries_left = 3
    while True:
        try:
            return train_and_ship(finalist, recipe, climbed, val, folder)
        except TrainingFailedError as error:
            tries_left -= 1
            if not tries_left:
                raise InputError(f"the training failed three times: {error}; try another --seed or --batch") from error
            recipe = replace(recipe, learning_rate=recipe.learning_rate / 3)
            say(f"the training failed: {error}; again at a learning rate of {recipe.learning_rate:.1e}")
            (folder / TRAINING_STATE).unlink(missing_ok=True)
            engine.remember(engine.settings | {"final_recipe": asdict(recipe)})


def report(
    shipped: Chosen, trials: list[Trial], climbed: Course, foresight: Foresight, args: argparse.Namespace
) -> None:
    """Write the page and say the closing lines."""
    lines = closing_lines(trials, shipped, climbed, foresight.lines())
    write_text(args.out / "closing.txt", "\n".join(lines) + "\n")
    drawn = write_page(args.out, trials, shipped, climbed.setup.budget_ms, lines)
    if args.json:
        write_json(args.json, shipped.measurement.to_json() | {"architecture": shipped.trial.architecture.to_json()})
    for line in lines:
        say(line)
    if not drawn:
        say("pareto.png is left out: it takes kaleido and a Chrome that starts; pareto.html has the same plots")
    say(f"Look at {args.out / 'pareto.html'}; the network is in {args.out / 'chosen'}.")


def nothing_within(trials: list[Trial], budget_ms: float) -> int:
    """Say which candidate came nearest to the budget."""
    measured = [trial for trial in trials if trial.measurement is not None]
    if not measured:
        say(f"nothing meets the budget of {budget_ms:g} ms: no candidate could be measured", to_stderr=True)
        return NOTHING_MEETS_BUDGET
    fastest = min(measured, key=lambda trial: trial.measurement.runtime.p90_ms if trial.measurement else math.inf)
    assert fastest.measurement is not None
    runtime = fastest.measurement.runtime
    say(
        f"nothing meets the budget of {budget_ms:g} ms: the fastest of {len(measured)} candidates, "
        f"trial {fastest.number} ({fastest.architecture.summary}), takes {runtime.median_ms:.3g} ms "
        f"(p90 {runtime.p90_ms:.3g})",
        to_stderr=True,
    )
    return NOTHING_MEETS_BUDGET


def estimate(setup: Setup, schedule: Schedule, teacher: nn.Module | None) -> int:
    """Measure one small candidate and say what the search would cost; writes nothing."""
    cost = measure_cost(setup.reference, count(build(setup.reference), setup.lr_size), setup)
    network = build(setup.reference)
    settled = settle(network, setup.recipe, setup.train, setup.device, teacher=teacher)
    step = seconds_per_step(network, settled, setup.train, setup.device, steps=20, teacher=teacher)
    trial_seconds = setup.recipe.steps * step
    runtime = cost.runtime
    say(f"{setup.reference.summary}: {runtime.median_ms:.1f} ms, {1000 * step:.1f} ms a training step")
    say(f"a trained candidate takes {duration(trial_seconds)} at this size, longer where it is larger")
    if math.isfinite(schedule.seconds):
        search, training = schedule.search_left, schedule.training_share
        say(f"{duration(search)} of searching (at most {search / max(trial_seconds, 0.1):.0f} trained candidates), "
            f"then {duration(training)} of training the chosen; {duration(schedule.seconds)} in all")  # fmt: skip
    elif schedule.trials is not None:
        say(f"{schedule.trials} trials, {duration(schedule.trials * trial_seconds)} if all are trained")
    return DONE


if __name__ == "__main__":
    sys.exit(run(main))

"""Command: find, train and ship the x4 network with the best PSNR within a runtime budget on this device."""

import argparse
import math
import shlex
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from nas.confirm import TRAINING_STATE, Chosen, Finalist, again, final_recipe, pick, train_and_ship
from nas.engine import Engine
from nas.evaluate import Setup, measure_cost
from nas.loop import propose
from nas.optuna_engine import OptunaEngine, has_study
from nas.report import closing_lines, write_page, write_tables
from nas.schedule import DEFAULT_SECONDS, Schedule, parse_duration
from nas.trial import Trial
from search_spaces import SPACES
from search_spaces.msrresnet import REFERENCE_NETWORK
from search_spaces.network import build
from search_spaces.space import SearchSpace
from sr.command import DONE, INTERRUPTED, NOTHING_MEETS_BUDGET, Parser, device, run, say
from sr.complexity import count
from sr.data import load_pairs
from sr.deployment import DTYPES
from sr.errors import InputError
from sr.files import write_json, write_text
from sr.latency import conditions
from sr.lr_size import parse_size, size_text
from sr.pairs import Pairs, on_device, same_pictures
from sr.progress import duration
from sr.recipe import Recipe
from sr.training import TrainingFailedError, seconds_per_step, settle

# Short trainings are judged on the centres of a few pictures: enough to rank, in a fraction of the time.
CROP_SIDE, CROPS = 96, 20
# Batch and LR patch: in the minutes that a CPU search has, many small steps go further than few large ones.
SMALL_STEPS, LARGE_STEPS = (8, 24), (32, 48)


def main(argv: list[str] | None = None) -> int:
    """Search, choose, train and ship; returns the exit code."""
    args = parse(argv)
    space = SPACES[args.space]
    schedule = Schedule(time_limit(args), args.trials)
    train, val = load_data(args)
    setup = make_setup(args, schedule, train, val)
    introduce(setup, space, train, val)
    if args.dry_run:
        return estimate(setup, schedule)
    engine, setup = open_engine(args, space, setup)
    try:
        if engine.settings["phase"] != "training":
            propose(engine, setup, schedule, args.out)
        return finish(engine, setup, schedule, val.to(setup.device), args)
    except KeyboardInterrupt:
        write_tables(args.out, engine.trials)
        say(f"interrupted with {len(engine.trials)} trials recorded; the same command with --resume goes on")
        return INTERRUPTED


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line; raises InputError where a value breaks its law."""
    parser = Parser(
        prog="python -m nas.search",
        description="Find, train and export the x4 super-resolution network with the best PSNR "
        "within a runtime budget, measured on this device.",
        example="python -m nas.search --budget-ms 40 --data DIV2K --time-limit 8h --out runs/forty",
    )
    parser.add_argument(
        "--budget-ms",
        required=True,
        metavar="MS",
        help="milliseconds for one LR picture that nine runs of ten must keep to",
    )
    parser.add_argument("--space", choices=sorted(SPACES), default="msrresnet", help="default msrresnet")
    parser.add_argument("--lr-size", default="256x256", metavar="WxH", help="LR size of the budget (default 256x256)")
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="float32", help="of the runtime (default float32)")
    parser.add_argument(
        "--trials", type=int, metavar="N", help="candidates in all (default: as many as the time allows)"
    )
    parser.add_argument("--time-limit", metavar="TIME", help="90s, 10m, 8h (default 10m; none where --trials is given)")
    parser.add_argument("--trial-steps", type=int, metavar="N", help="steps of a candidate (default by the time)")
    parser.add_argument(
        "--train-steps", type=int, metavar="N", help="steps of the chosen network (default by the time)"
    )
    parser.add_argument("--batch", type=int, metavar="N", help="patches a step (default 8 on a CPU, 32 on a GPU)")
    parser.add_argument("--patch", type=int, metavar="N", help="side of the LR patches (default 24, on a GPU 48)")
    parser.add_argument("--study", default="search", metavar="NAME", help="name in the storage (default search)")
    parser.add_argument("--storage", metavar="URL", help="database URL or journal path (default: a journal in --out)")
    parser.add_argument("--resume", action="store_true", help="go on with a study that is there")
    parser.add_argument("--dry-run", action="store_true", help="say what it would cost, and write nothing")
    parser.add_shared("out", "data", "val", "device", "seed", "json", out="runs/search")
    args = parser.parse_args(argv)
    args.given = sys.argv[1:] if argv is None else argv
    args.device = device(str(args.device))
    batch, patch = SMALL_STEPS if args.device.type == "cpu" else LARGE_STEPS
    args.batch = batch if args.batch is None else args.batch
    args.patch = patch if args.patch is None else args.patch
    args.budget_ms = positive_number(args.budget_ms)
    args.lr_size = parse_size(args.lr_size)
    for name in ("trials", "trial_steps", "train_steps", "batch", "patch"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise InputError(f"--{name.replace('_', '-')} must be at least 1, got {value}")
    return args


def positive_number(text: str) -> float:
    """Return the budget; raises InputError where it is none."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (value > 0 and math.isfinite(value)):
        raise InputError(f"--budget-ms must be a number of milliseconds over zero, got {text!r}")
    return value


def time_limit(args: argparse.Namespace) -> float:
    """Return the seconds that the whole command may take."""
    if args.time_limit is not None:
        return parse_duration(args.time_limit)
    return DEFAULT_SECONDS if args.trials is None else math.inf


def load_data(args: argparse.Namespace) -> tuple[Pairs, Pairs]:
    """Load training and validation pictures; raises InputError where they share one."""

    def report(line: str) -> None:
        say(line, to_stderr=True)

    train = load_pairs(args.data, "train", minimum_lr_side=args.patch, report=report)
    is_div2k = args.data is not None and (args.data / "DIV2K_valid_HR").is_dir()
    val = load_pairs(args.val or (args.data if is_div2k else None), "val", minimum_lr_side=16, report=report)
    if shared := same_pictures(train, val):
        raise InputError(
            f"training and validation must not share a picture, but both hold {', '.join(shared[:3])}; "
            f"give --val a folder of its own"
        )
    return train, val


def make_setup(args: argparse.Namespace, schedule: Schedule, train: Pairs, val: Pairs) -> Setup:
    """Put together what all candidates share."""
    recipe = Recipe(steps=args.trial_steps or schedule.trial_steps, batch=args.batch, patch=args.patch, seed=args.seed)
    return Setup(
        budget_ms=args.budget_ms,
        device=args.device,
        lr_size=args.lr_size,
        dtype=args.dtype,
        recipe=recipe,
        train=on_device(train, args.device),
        val=val.centre_crops(CROP_SIDE, CROPS).to(args.device),
        reference=REFERENCE_NETWORK,
    )


def introduce(setup: Setup, space: SearchSpace, train: Pairs, val: Pairs) -> None:
    """Say what is about to be searched, on what."""
    place = conditions(setup.device, setup.lr_size, setup.dtype)
    say(f"space {space.name}: {space.size:.2e} descriptions, {space.networks:.2e} different networks")
    size = size_text(setup.lr_size)
    say(f"budget {setup.budget_ms:g} ms for {size} LR, {setup.dtype}, {place.device}, {place.threads} threads")
    say(f"pictures: {len(train)} to train on, {len(val)} to validate on; {setup.recipe.steps} steps a candidate")


def open_engine(args: argparse.Namespace, space: SearchSpace, setup: Setup) -> tuple[OptunaEngine, Setup]:
    """Open a new study, or with --resume the one that is there and its setup.

    Raises InputError where the two are mixed up.
    """
    storage = args.storage or str(args.out / "study.journal")
    exists = has_study(storage, args.study)
    if exists and not args.resume:
        raise InputError(
            f"the study {args.study!r} is already in {storage}; go on with --resume, or name another --out"
        )
    if args.resume and not exists:
        raise InputError(f"there is no study {args.study!r} in {storage} to resume; leave --resume out to start one")
    # Proves now, not after hours, that the results can be written.
    write_text(args.out / "command.txt", shlex.join(["python", "-m", "nas.search", *args.given]) + "\n")
    engine = OptunaEngine(space, args.study, storage, args.seed, setup.budget_ms)
    if exists:
        if args.trial_steps is None:
            # What the time limit of the first run made of it; that of this run is for what is still to do.
            setup = replace(setup, recipe=replace(setup.recipe, steps=engine.settings["recipe"]["steps"]))
        check_settings(engine.settings, settings_of(space, setup))
    else:
        engine.remember(settings_of(space, setup) | {"phase": "search"})
    return engine, setup


def settings_of(space: SearchSpace, setup: Setup) -> dict[str, Any]:
    """Return what must not change within a study: results of different conditions never stand on one front."""
    return {
        "space": space.name,
        "budget_ms": setup.budget_ms,
        "conditions": {**asdict(conditions(setup.device, setup.lr_size, setup.dtype)), "lr_size": list(setup.lr_size)},
        "recipe": asdict(setup.recipe),
        "pictures": [len(setup.train), *setup.val.names],
    }


def check_settings(kept: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raise InputError where a resumed study was begun with other settings."""
    for name, value in wanted.items():
        if kept.get(name) != value:
            raise InputError(
                f"a resumed study keeps its settings, but its {name} was {kept.get(name)} and is now {value}; "
                f"give the same flags, or start a new study"
            )


def finish(engine: Engine, setup: Setup, schedule: Schedule, val: Pairs, args: argparse.Namespace) -> int:
    """Choose, train and ship, and say so; exit code 3 where nothing is within the budget."""
    trials, settings = engine.trials, engine.settings
    write_tables(args.out, trials)
    if settings["phase"] == "training":
        finalist = again(trials, settings["chosen"], setup)
        recipe = Recipe(**settings["final_recipe"])
    else:
        found = pick(trials, setup)
        if found is None:
            return nothing_within(trials, setup.budget_ms)
        finalist = found
        recipe = final_recipe(finalist.trial, setup, schedule.training_seconds(), args.train_steps)
        chosen = {"phase": "training", "chosen": finalist.trial.number, "final_recipe": asdict(recipe)}
        engine.remember(settings | chosen)
    trial = finalist.trial
    say(f"chosen: trial {trial.number}, {trial.architecture.summary}; training it for {recipe.steps:,} steps")
    shipped = train_patiently(engine, finalist, recipe, setup, val, args.out / "chosen")
    engine.remember(engine.settings | {"phase": "done"})
    report(shipped, trials, setup, args)
    return DONE if shipped.measurement.within(setup.budget_ms) else NOTHING_MEETS_BUDGET


def train_patiently(
    engine: Engine, finalist: Finalist, recipe: Recipe, setup: Setup, val: Pairs, folder: Path
) -> Chosen:
    """Train and ship the finalist; a training that diverges starts again at a third of the rate, twice at the most."""
    tries_left = 3
    while True:
        try:
            return train_and_ship(finalist, recipe, setup, val, folder)
        except TrainingFailedError as error:
            tries_left -= 1
            if not tries_left:
                raise InputError(f"the training failed three times: {error}; try another --seed or --batch") from error
            recipe = replace(recipe, learning_rate=recipe.learning_rate / 3)
            say(f"the training failed: {error}; again at a learning rate of {recipe.learning_rate:.1e}")
            (folder / TRAINING_STATE).unlink(missing_ok=True)
            engine.remember(engine.settings | {"final_recipe": asdict(recipe)})


def report(shipped: Chosen, trials: list[Trial], setup: Setup, args: argparse.Namespace) -> None:
    """Write the page and say the closing lines."""
    lines = closing_lines(trials, shipped, setup)
    write_text(args.out / "closing.txt", "\n".join(lines) + "\n")
    write_page(args.out, trials, shipped, setup.budget_ms, lines)
    if args.json:
        write_json(args.json, shipped.measurement.to_json() | {"architecture": shipped.trial.architecture.to_json()})
    for line in lines:
        say(line)
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


def estimate(setup: Setup, schedule: Schedule) -> int:
    """Measure one small candidate and say what the search would cost; writes nothing."""
    cost = measure_cost(setup.reference, count(build(setup.reference), setup.lr_size), setup)
    network = build(setup.reference)
    settled = settle(network, setup.recipe, setup.train, setup.device)
    step = seconds_per_step(network, settled, setup.train, setup.device, steps=20)
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

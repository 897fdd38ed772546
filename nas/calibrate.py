"""Command: measure on this space, device and data how well every cheap score ranks networks as full training does."""

import argparse
import json
import random
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from nas.calibration import SUPERNET_SHARE, Known, in_full, rankings, scored
from nas.crew import MOST_AT_ONCE, Crew, best_crew
from nas.crew import in_words as in_words_of_crew
from nas.engine import accept_all
from nas.evaluate import Setup
from nas.preparation import add_flags, check_flags, load_data, make_setup
from nas.raising import found_once, recipe_of
from nas.raising import population_of as accepted
from nas.rank_correlation import Ranking
from nas.rungs import Ladder, ladder
from nas.runtime_table import open_table
from nas.supernet import Population, train, untrained
from search_spaces import SPACES
from search_spaces.architecture import Architecture
from search_spaces.network import build
from search_spaces.space import SearchSpace
from search_spaces.supernet import Supernet
from sr.checkpoint import provenance
from sr.command import DONE, Parser, run, say
from sr.errors import InputError
from sr.files import write_json, write_text
from sr.latency import conditions
from sr.page import digits, document, section, table
from sr.progress import duration
from sr.recipe import Recipe
from sr.settling import settle

DRAWS = 400
FEWEST_NETWORKS = 8
# Networks a little over the budget are what a search meets too.
WITHIN = 1.5
# A score below this is not worth to order candidates by.
POOR_TAU = 0.5


def main(argv: list[str] | None = None) -> int:
    """Train networks in full, score them cheaply, and say which score to believe."""
    args = parse(argv)
    train_pairs, val = load_data(args)
    setup, climbed = make_setup(args, args.steps, train_pairs, val), ladder(args.steps, args.rungs)
    settings = settings_of(args, setup, climbed)
    check_settings(settings, args.out)
    setup = settled(setup, args.out)
    population = population_of(SPACES[args.space], setup, args.out)
    networks = drawn(population, args.networks, args.seed)
    say(f"{len(networks)} networks that take up to {WITHIN:g} times {args.budget_ms:g} ms, "
        f"{args.steps:,} steps each, rungs at {', '.join(f'{steps:,}' for steps in climbed.steps[:-1])}")  # fmt: skip
    known = trained(networks, setup, climbed, args.out, crew_of(args, setup))
    known, share = with_supernet(known, population, SPACES[args.space], setup, args.out)
    found = rankings(known, climbed, share)
    report(found, known, settings, args)
    return DONE


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line; raises InputError where a value breaks its law."""
    parser = Parser(
        prog="python -m nas.calibrate",
        description="Train networks of a space in full and measure how well cheap scores put them in that order. "
        "Stopped anywhere, the same command goes on.",
        example="python -m nas.calibrate --budget-ms 40 --data DIV2K --networks 24 --steps 20000",
    )
    add_flags(parser)
    parser.add_argument("--networks", type=int, default=16, metavar="N", help="trained in full (default 16)")
    parser.add_argument("--steps", type=int, default=2000, metavar="N", help="of a full training (default 2000)")
    parser.add_argument(
        "--rungs", type=int, default=3, metavar="N", help="of the ladder, full training too (default 3)"
    )
    parser.add_argument("--crew", type=int, metavar="N", help="trainings at once (default: as many as are fastest)")
    parser.add_shared("out", "data", "val", "device", "seed", "json", out="runs/calibration")
    args = parser.parse_args(argv)
    args.command = shlex.join(["python", "-m", "nas.calibrate", *(sys.argv[1:] if argv is None else argv)])
    check_flags(args, "steps", "rungs", "crew")
    if args.networks < FEWEST_NETWORKS:
        raise InputError(f"--networks must be at least {FEWEST_NETWORKS} to tell an order, got {args.networks}")
    return args


def settled(setup: Setup, out: Path) -> Setup:
    """Return the setup with one precision and memory format for all: those that suit the reference network."""

    def find() -> dict[str, Any]:
        return asdict(settle(build(setup.reference), setup.recipe, setup.train, setup.device))

    return replace(setup, recipe=Recipe(**found_once(out / "recipe.json", find)))


def population_of(space: SearchSpace, setup: Setup, out: Path) -> Population:
    """Return the networks of a space that the table of this device finds within reach of the budget."""
    path, seed = out / "population.json", setup.recipe.seed
    if path.exists():
        return accepted(space, accept_all, seed, path)
    runtimes = open_table(
        setup.device, setup.dtype, setup.lr_size, hopeless_ms=setup.budget_ms,
        report=lambda line: say(line, to_stderr=True),
    )  # fmt: skip
    rng = random.Random(seed)  # noqa: S311 - a draw, no secret
    # Together they take a fraction of the time that their pieces take one by one.
    runtimes.measure([*space.seeds, *(space.decode(space.sample(rng)) for _ in range(DRAWS))])
    found = accepted(space, lambda each: runtimes.predict(each) <= WITHIN * setup.budget_ms, seed, path)
    runtimes.save()
    return found


def drawn(population: Population, count: int, seed: int) -> list[Architecture]:
    """Return so many different networks; raises InputError where there are not as many."""
    rng = random.Random(seed)  # noqa: S311 - a draw, no secret
    found: dict[str, Architecture] = {}
    for _ in range(100 * count):
        architecture = population.sample(rng)
        found.setdefault(architecture.key, architecture)
        if len(found) == count:
            return list(found.values())
    raise InputError(f"only {len(found)} networks are within reach of the budget, asked for {count}; raise --budget-ms")


def settings_of(args: argparse.Namespace, setup: Setup, climbed: Ladder) -> dict[str, Any]:
    """Return what must be the same for a calibration to go on."""
    return {
        "space": args.space,
        "budget_ms": args.budget_ms,
        "networks": args.networks,
        "conditions": {**asdict(conditions(setup.device, setup.lr_size, setup.dtype)), "lr_size": list(setup.lr_size)},
        "ladder": list(climbed.steps),
        "recipe": asdict(setup.recipe),
        "pictures": [len(setup.train), *setup.val.names],
    }


def check_settings(settings: dict[str, Any], out: Path) -> None:
    """Raise InputError where `out` holds a calibration of other settings."""
    path = out / "settings.json"
    was = found_once(path, lambda: settings)
    changed = [name for name, value in settings.items() if was.get(name) != value]
    if changed:
        raise InputError(f"{path} is of another calibration ({', '.join(changed)} differ); name another --out")


def crew_of(args: argparse.Namespace, setup: Setup) -> int:
    """Return how many networks are trained at once: as asked for, else as many as are fastest on this device."""

    def find() -> int:
        speeds = best_crew(setup, setup.reference, most=MOST_AT_ONCE)
        say(in_words_of_crew(speeds))
        return speeds.best

    return args.crew or int(found_once(args.out / "crew.json", find))


def trained(networks: Sequence[Architecture], setup: Setup, climbed: Ladder, out: Path, workers: int) -> list[Known]:
    """Train all networks in full, those that an earlier run did not, so many at once.

    Raises InputError where one cannot be trained.
    """
    path = out / "networks.json"
    known = read_networks(path)
    done, began = len(known), time.monotonic()
    work = partial(in_full, ladder=climbed, folder=out / "trainings")
    with Crew(workers, setup) as crew:
        for number, each in enumerate(crew.in_turn(work, networks[done:]), start=done + 1):
            known.append(each)
            write_json(path, [one.to_json() for one in known])
            left = (time.monotonic() - began) / (number - done) * (len(networks) - number)
            say(f"network {number} of {len(networks)}: {each.psnr:.3f} dB in {each.seconds:.0f} s, "
                f"{each.architecture.summary}; {duration(left)} left")  # fmt: skip
    return known


def read_networks(path: Path) -> list[Known]:
    """Return what an earlier run trained; raises InputError for a broken file."""
    if not path.exists():
        return []
    try:
        return [Known.from_json(each) for each in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} holds no networks of a calibration; name another --out") from error


def with_supernet(
    known: Sequence[Known], population: Population, space: SearchSpace, setup: Setup, out: Path
) -> tuple[list[Known], float]:
    """Return the networks with a supernet's scores, and what it cost per network as a share of a full training.

    Both as an earlier run found them, where one did; raises InputError where its file is broken.
    """

    def find() -> dict[str, Any]:
        began = time.monotonic()
        supernet, steps = trained_supernet(known, population, space, setup, out)
        scores = {each.architecture.key: each.supernet_psnr for each in scored(known, supernet, setup)}
        seconds = time.monotonic() - began
        say(f"supernet: {steps:,} steps, with its scores {duration(seconds)}")
        return {"share": seconds / sum(each.seconds for each in known), "psnr": scores}

    path = out / "supernet.json"
    found = found_once(path, find)
    try:
        return [replace(each, supernet_psnr=found["psnr"][each.architecture.key]) for each in known], found["share"]
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} holds no scores of these networks; remove it") from error


def trained_supernet(
    known: Sequence[Known], population: Population, space: SearchSpace, setup: Setup, out: Path
) -> tuple[Supernet, int]:
    """Return a supernet and its steps, which take SUPERNET_SHARE of what all full trainings took."""
    supernet = untrained(space, population, setup.recipe.seed)
    seconds = SUPERNET_SHARE * sum(each.seconds for each in known)
    recipe = recipe_of(supernet, population, setup, seconds, out / "supernet.recipe.json")
    state = out / "trainings" / "supernet.state"
    supernet = train(supernet, population, recipe, setup.train, setup.device, state=state)
    state.unlink(missing_ok=True)
    return supernet, recipe.steps


def report(
    found: Sequence[Ranking], known: Sequence[Known], settings: dict[str, Any], args: argparse.Namespace
) -> None:
    """Write the page and the figures, and say them."""
    lines = [in_words(each) for each in found]
    poor = [f"warning: {each.name} ranks poorly here ({line})" for each, line in zip(found, lines, strict=True)
            if each.cost_share and (each.tau is None or each.tau < POOR_TAU)]  # fmt: skip
    place = conditions(args.device, args.lr_size, args.dtype)
    results = {
        "rankings": [asdict(each) for each in found],
        "networks": [each.to_json() for each in known],
        "settings": settings, "budget_ms": args.budget_ms,
        "device": place.device, "threads": place.threads, "versions": place.versions, "date": provenance()["date"],
        "command": args.command,
    }  # fmt: skip
    write_json(args.out / "calibration.json", results)
    if args.json:
        write_json(args.json, results)
    write_text(args.out / "calibration.html", page(found, known, args))
    for line in (*lines, *poor):
        say(line)
    say(f"Look at {args.out / 'calibration.html'}.")


def in_words(each: Ranking) -> str:
    """Say what a score is worth."""
    tau = "no tau, all the same" if each.tau is None else f"tau {each.tau:.2f} ({each.low:.2f} to {each.high:.2f})"
    return (
        f"{each.name}: {tau}, {each.top3_in_first6} of the best 3 among its first 6, "
        f"{100 * each.cost_share:.1f} % of a full training"
    )


def page(found: Sequence[Ranking], known: Sequence[Known], args: argparse.Namespace) -> str:
    """Return the page: what each score is worth, and the networks that it was judged by."""
    headings = (
        "score",
        "Kendall's tau",
        "95 % interval",
        "best 3 among its first 6",
        "cost (% of a full training)",
        "",
    )
    rows = [
        (
            each.name,
            "" if each.tau is None else f"{each.tau:.2f}",
            "" if each.low is None else f"{each.low:.2f} to {each.high:.2f}",
            str(each.top3_in_first6),
            f"{100 * each.cost_share:.1f}",
            "poor" if each.tau is None or each.tau < POOR_TAU else "",
        )
        for each in found
    ]
    networks = [
        (f"{each.psnr:.3f}", digits(each.complexity.multi_adds / 1e9), digits(each.complexity.activations / 1e6),
         *(f"{psnr:.3f}" for psnr in each.cheap_psnr.values()), each.architecture.summary)
        for each in sorted(known, key=lambda each: -each.psnr)
    ]  # fmt: skip
    note = "The interval is a bootstrap's over the networks. A regression predicts each network from all the others."
    body = section("What each cheap score is worth", note, table(headings, rows, [""] * len(rows))) + section(
        "The networks",
        f"PSNR in dB on the validation crops; in full after {args.steps:,} steps.",
        table(
            ("in full", "multi-adds (G)", "activations (M)", *known[0].cheap_psnr, "architecture"),
            networks,
            [""] * len(networks),
        ),
    )
    return document("Which cheap score to believe", [in_words(each) for each in found], body)


if __name__ == "__main__":
    sys.exit(run(main))

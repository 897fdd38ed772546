"""The league: networks of one runtime budget, trained from scratch by one recipe, measured in the same rounds.

    python benchmarks/league.py --budget-ms 40 --data DIV2K --val Set5,Set14 --steps 5000 --seeds 3 \
        --entries all,search=runs/a,search=runs/b,pruned=runs/p --out runs/league --json league.json

Entries are hand-designed families (of the largest members within the budget, each of another width, that which is the
best after a short training), FAMILY=published, FAMILY:KEY=VALUE:... in a size of its own
(ecbsr:num_feat=16:num_block=4), what searches chose, what prunings made, and league=FILE: the networks of a file that
--json wrote. Every one is trained in its training form by the search's recipe, at the best of four learning rates, and
measured in deployed form. Killed, the same command goes on; with another --steps into the same folder the page shows
both lengths. It exits with 0 whatever comes out: this is a measurement, not a test.

With --measure-only the networks are measured anew and nothing is trained: where other programs had disturbed their
runtimes, or for what another engine makes of them (--engine torch --entries league=league.json; a family's name would
be its member at the budget in that engine). Trainings are kept by what they are of, not by device: those that a GPU did
into the same folder (--device cuda --batch 8 --patch 24) are read where the budget is a CPU's.
benchmarks/league_results.py makes docs/results.md of what --json wrote.
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from machine_paths import shown_command

from baselines.league.archive import Archive
from baselines.league.cells import markdown
from baselines.league.entries import ALL, parted
from baselines.league.hold import hold, measured_again
from baselines.league.members import members
from baselines.league.page import write_page
from baselines.league.setup import SHARE, Setup
from baselines.league.shapes import best_shapes
from baselines.league.standings import Standings
from nas.config.shared import SharedConfig
from nas.config.shared_arguments import add_shared_arguments, shared_values
from nas.evaluation_setup import load_pictures, make_setup
from nas.known_device import recall
from sr.checkpoint import provenance
from sr.command import DONE, Parser, run
from sr.constraints import at_least
from sr.data.pairs import on_device, same_pictures
from sr.data.sources import load_pairs
from sr.errors import InputError
from sr.files import write_json, write_text
from sr.progress import Report
from sr.terminal import Terminal, say


@dataclass(frozen=True, kw_only=True)
class Config(SharedConfig):
    """What is compared: the entries, each trained for so many steps by so many seeds, judged on `val_folders`."""

    entries: tuple[str, ...]
    steps: int
    seeds: int
    workers: int
    val_folders: tuple[Path, ...]
    out: Path
    measure_only: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, self, "steps", "seeds", "workers")
        if self.dtype != "float32":
            raise InputError(f"--dtype must be float32, in which the league judges what it trained, got {self.dtype!r}")
        names = [folder.name for folder in self.val_folders]
        if len(set(names)) < len(names):
            raise InputError(f"--val takes folders of different names, as tables name them; got {', '.join(names)}")


def main(argv: list[str] | None = None) -> int:
    """Hold the league and print its table."""
    config, figures = parse(argv)
    report = Terminal()
    families, entries = parted(config.entries, config.scale)
    setup = league_setup(config, report)
    within = members(families, setup, recall(setup.target).model, report=report)
    at_the_budget = best_shapes(within, setup, workers=config.workers, report=report)
    # A size that is named may be the member at the budget, too.
    all_entries = list({each.title: each for each in [*at_the_budget, *entries]}.values())

    def write(standings: Standings) -> None:
        write_text(config.out / "league.md", markdown(standings))
        write_page(config.out / "league.html", standings)

    if config.measure_only:
        standings = measured_again(all_entries, setup, report=report)
        write(standings)
    else:
        standings = hold(all_entries, config.seeds, setup, workers=config.workers, after_seed=write, report=report)
    say(markdown(standings))
    if figures is not None:
        archive = Archive(
            standings, shown_command("league.py", argv), asdict(setup.recipe), setup.rates, SHARE, len(setup.train),
            **provenance(),
        )  # fmt: skip
        write_json(figures, archive.to_json())
    say(f"Look at {config.out / 'league.html'}.")
    return DONE


def league_setup(config: Config, report: Report) -> Setup:
    """Return what all entries share: the search's recipe in one precision, and the pictures on the device."""
    first, *others = config.val_folders or (None,)
    train, judged_on = load_pictures(replace(config, val=first), report)
    val = {"photographs" if first is None else first.name: judged_on.pairs}
    for folder in others:
        val[folder.name] = load_pairs(folder, "val", minimum_lr_side=16, report=report, scale=config.scale)
        if shared := same_pictures(train.pairs, val[folder.name]):
            raise InputError(f"training and validation must not share a picture, but {folder} has {shared[0]} too")
    searching = make_setup(config, config.steps, train, judged_on, report)
    target = searching.target
    return Setup(
        budget_ms=config.budget_ms,
        target=target,
        recipe=replace(searching.recipe, precision="float32"),
        train=searching.train,
        val={name: on_device(pairs, target.device) for name, pairs in val.items()},
        folder=config.out,
        calm_ms=recall(target).calm_ms(target.lr_size),
    )


def parse(argv: Sequence[str] | None) -> tuple[Config, Path | None]:
    """Return the config, and where the figures are to be written; raises InputError for a bad value."""
    parser = Parser(
        prog="python benchmarks/league.py",
        description="Train networks of one runtime budget alike and compare them: by hand, searched and pruned. "
        "--val takes several folders, with commas between.",
        example="python benchmarks/league.py --budget-ms 40 --data DIV2K --val Set5,Set14 --entries all --steps 5000",
    )
    add_shared_arguments(parser)
    parser.add_argument("--entries", default=ALL, metavar="NAMES",
                        help="between commas: all families that can be scaled (default), families of them, "
                        "FAMILY:KEY=VALUE:..., FAMILY=published, search=RUN, pruned=RUN, league=FILE")  # fmt: skip
    parser.add_argument("--steps", type=int, default=5000, metavar="N", help="of each training (default 5000)")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="trainings of each entry (default 3)")
    parser.add_argument("--measure-only", action="store_true",
                        help="train nothing: measure all entries anew, beside the trainings in --out")  # fmt: skip
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="trainings at once (default 1)")
    parser.add_shared("out", "json", out="runs/league")
    args = parser.parse_args(argv)
    folders = [] if args.val is None else str(args.val).split(",")
    config = Config(
        **(shared_values(args) | {"val": None}), entries=tuple(args.entries.split(",")), steps=args.steps,
        seeds=args.seeds, workers=args.workers, val_folders=tuple(Path(folder) for folder in folders), out=args.out,
        measure_only=args.measure_only,
    )  # fmt: skip
    return config, args.json


if __name__ == "__main__":
    sys.exit(run(main))

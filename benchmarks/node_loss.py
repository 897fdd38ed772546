"""Whether a search on a cluster comes to the same where one of its nodes is killed in its midst.

    python benchmarks/node_loss.py --json node-loss.json

Two searches on two nodes of Ray's, both on this machine with a processor each: the head is the target, which measures
and trains, the other node trains. Candidates are proposed, trained by rungs and promoted as ever; runtimes alone are
scripted, worked out on the target from the architecture. In the second search the raylet of the other node is killed
(SIGKILL) once half of the trials are told and while it trains; a new node joins later. Both searches have to tell the
same trials with the same PSNRs and end with the same front. It exits with 1 where something is lost, told twice or
different, or where the killed node was at nothing.
"""

import contextlib
import math
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from machine_paths import shown_command
from scale import simulated

from nas.config.search import SearchConfig
from nas.evaluate import Setup, on_target
from nas.evaluation_setup import load_pictures, make_setup
from nas.loop import Search
from nas.measurer import measured_on_target
from nas.optuna_backend.study import OptunaStudy
from nas.predictors.latency import LatencyPredictor
from nas.predictors.surrogate import Surrogate
from nas.samplers.aiming import first_candidates
from nas.samplers.protocol import SearchProblem
from nas.samplers.registry import make_sampler
from nas.target_node import TARGET_RESOURCE
from nas.time_budget import TimeBudget
from nas.training.executor import executor
from nas.training.fidelity_schedule import fidelity_schedule
from nas.trial import Trial, front_of
from search_spaces.architecture import Architecture
from sr.checkpoint import provenance
from sr.command import DONE, SOME_FAILED, Parser, run
from sr.errors import InputError
from sr.executors.ray_cluster.connection import connected, imported
from sr.files import write_json
from sr.progress import Event, Message
from sr.terminal import Terminal, say

# Small networks, so that a rung on one processor takes seconds.
BUDGET_MS, LR_SIZE = 8.0, (64, 64)
# Milliseconds that the reference of every scripted runtime takes.
CALM_MS = 5.0
Cluster = Any  # Of Ray, which is imported late.
NODE = {"num_cpus": 1, "object_store_memory": 200 * 2**20, "include_dashboard": False}
_NEVER = 10**6
# A node that has taken such a share of a processor for so long is at a training.
_LOOK_SECONDS, _BUSY_SHARE = 1.0, 0.5


@dataclass(frozen=True)
class Config:
    """So many candidates of so many steps to the top rung; a new node joins so many seconds after one was killed."""

    trials: int
    steps: int
    rejoin_seconds: float
    seed: int

    def __post_init__(self) -> None:
        if min(self.trials, self.steps) < 1 or self.rejoin_seconds < 0:
            raise InputError(f"trials and steps are at least 1 and no time below 0, got {self}")


@dataclass(frozen=True)
class Searched:
    """What a search came to.

    Attributes:
        trials: As the record has them in the end.
        told: The number and the rungs of a trial each time that an outcome was told.
        asides: What was said of workers that died.
        seconds: That it took.
        device: That runtimes stand for.
    """

    trials: Sequence[Trial]
    told: Sequence[tuple[int, int]]
    asides: Sequence[str]
    seconds: float
    device: str


def main(argv: list[str] | None = None) -> int:
    """Search twice and print what differs."""
    config, figures = parse(argv)
    with tempfile.TemporaryDirectory(prefix="paretosr-node-") as name, two_nodes() as cluster:
        say("the search whose nodes all live:")
        whole = searched(config, Path(name) / "whole")
        say("the search that loses a node:")
        with NodeLoss(cluster, config) as loss:
            lossy = searched(config, Path(name) / "lossy", loss.look)
    found = compared(whole, lossy)
    for line in described(found, lossy):
        say(line)
    if figures is not None:
        write_json(figures, {
            "trials": config.trials, "steps": config.steps, "seed": config.seed, "whole": figures_of(whole),
            "lossy": figures_of(lossy), **found,
            "killed_after_seconds": finite(loss.killed_after), "joined_after_seconds": finite(loss.joined_after),
            "device": lossy.device, "processors": os.cpu_count(), "ray": imported().__version__, **provenance(),
            "command": shown_command("node_loss.py", argv),
        })  # fmt: skip
    is_whole = len(whole.trials) == len(lossy.trials) == config.trials and found["same_front"]
    nothing = not (found["lost"] or found["told_twice"] or found["differing"])
    return DONE if is_whole and nothing and math.isfinite(loss.killed_after) and found["done_again"] else SOME_FAILED


def parse(argv: list[str] | None) -> tuple[Config, Path | None]:
    """Return the config, and where the figures are to be written; raises InputError for a bad value."""
    parser = Parser(
        prog="python benchmarks/node_loss.py",
        description="Search twice on two nodes of this machine, and kill one of them in the midst of the second.",
        example="python benchmarks/node_loss.py --json node-loss.json",
    )
    parser.add_argument("--trials", type=int, default=32, metavar="N", help="of each search (default 32)")
    parser.add_argument(
        "--steps", type=int, default=3600, metavar="N", help="of a candidate that trains to the end (default 3600)"
    )
    parser.add_argument("--rejoin", type=float, default=30.0, metavar="S",
                        help="seconds after the kill that a new node joins (default 30)")  # fmt: skip
    parser.add_shared("seed", "json")
    args = parser.parse_args(argv)
    return Config(args.trials, args.steps, args.rejoin, args.seed), args.json


@contextlib.contextmanager
def two_nodes() -> Iterator[Cluster]:
    """Be connected to a cluster of two nodes on this machine; the head is the target."""
    # Read when ray is imported: nobody reaches these nodes from elsewhere.
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    imported()
    from ray import cluster_utils

    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args={**NODE, "resources": {TARGET_RESOURCE: 1}})
    try:
        cluster.add_node(**NODE)
        with connected(cluster.address):
            yield cluster
    finally:
        cluster.shutdown()


def searched(config: Config, folder: Path, on_told_so_far: Callable[[int], None] = lambda _: None) -> Searched:
    """Search from nothing, and return what came out; `on_told_so_far` is given the number of told trials each time."""
    asides, told, terminal = list[str](), list[tuple[int, int]](), Terminal()

    def report(event: Event) -> None:
        if isinstance(event, Message) and event.aside:
            asides.append(event.text)
        terminal(event)

    def on_told(trial: Trial, trials: Sequence[Trial]) -> None:
        told.append((trial.number, len(trial.rungs)))
        on_told_so_far(len(trials))

    began = time.monotonic()
    search = SearchConfig(
        budget_ms=BUDGET_MS, out=folder, trials=config.trials, trial_steps=config.steps, seed=config.seed, device="cpu",
        engine="torch", lr_size=LR_SIZE, workers=2, cluster="auto",
    )  # fmt: skip
    setup = make_setup(search, config.steps, *load_pictures(search))
    # What a training would else find out by timing.
    setup = replace(setup, recipe=replace(setup.recipe, precision="float32", memory_format="contiguous"))
    with measured_on_target(setup, terminal) as measured:
        fidelity = fidelity_schedule("rungs", measured, folder / "candidates")
        space = search.search_space
        surrogate = Surrogate(LatencyPredictor(LR_SIZE), BUDGET_MS, LR_SIZE, fidelity.ladder, widths=space.num_feat)
        problem = SearchProblem(
            space, config.seed, BUDGET_MS, surrogate.is_predicted_feasible, surrogate.acquisition,
            surrogate.budget_share,
        )  # fmt: skip
        study = OptunaStudy(space, "node loss", str(folder / "study.journal"), BUDGET_MS)
        study.enqueue(first_candidates(problem))
        with executor(search.workers, measured, on_cluster=fidelity.folder, report=report) as pool:
            Search(
                study, make_sampler(search.sampler, search.nni_tuner, problem),
                lambda number, architecture: on_target(measured, scripted, number, architecture), fidelity, pool,
                surrogate, TimeBudget(float("inf"), config.trials), calm_ms=CALM_MS, patience=_NEVER, on_told=on_told,
                report=report,
            ).run()  # fmt: skip
    return Searched(study.trials, told, asides, time.monotonic() - began, measured.conditions.device)


def scripted(_setup: Setup, number: int, architecture: Architecture) -> Trial:
    """Return a candidate measured, with the runtime that its architecture always has."""
    outcome = simulated(number, architecture)
    assert outcome.measurement is not None
    return Trial(number, architecture, "measured", replace(outcome.measurement, quality=None))


class NodeLoss:
    """Kills the node that is not the head in the midst of a search, and has another join later.

    Args:
        cluster: Of Ray, with one node beside its head.
        config: When.
    """

    def __init__(self, cluster: Cluster, config: Config) -> None:
        self._cluster, self._config = cluster, config
        self._half, self._over = threading.Event(), threading.Event()
        self._began, self.killed_after, self.joined_after = 0.0, math.inf, math.inf
        self._thread = threading.Thread(target=self._kill, daemon=True)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._half.set()
        self._thread.join()

    def look(self, told: int) -> None:
        """See how many trials are told; a new node joins here, as Ray starts nodes in the main thread alone."""
        if 2 * told >= self._config.trials:
            self._half.set()
        if self._seconds >= self.killed_after + self._config.rejoin_seconds and math.isinf(self.joined_after):
            self._cluster.add_node(**NODE)
            self.joined_after = self._seconds
            say(f"after {self.joined_after:.0f} s a new node joined")

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _kill(self) -> None:
        """Wait until half is told and the node trains, and kill it; not where it no longer does."""
        (node,) = self._cluster.worker_nodes
        raylet = node.all_processes["raylet"][0].process
        self._half.wait()
        before = processor_seconds_below(raylet.pid)
        while not self._over.wait(_LOOK_SECONDS):
            now = processor_seconds_below(raylet.pid)
            if now - before >= _BUSY_SHARE * _LOOK_SECONDS:
                os.kill(raylet.pid, signal.SIGKILL)
                # As a dead child that nobody asked after it would look alive to its workers.
                raylet.wait()
                self.killed_after = self._seconds
                say(f"after {self.killed_after:.0f} s the raylet of a node was killed")
                return
            before = now


def processor_seconds_below(parent: int) -> float:
    """Return the processor seconds that the children of a process have taken so far, those that live; on Linux."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name of the program stands in parentheses, and may hold anything.
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def compared(whole: Searched, lossy: Searched) -> dict[str, Any]:
    """Return what of the search that lost a node is other than of the one that did not, and its front."""
    ours, theirs = ({each.number: story(each) for each in search.trials} for search in (whole, lossy))
    return {
        "lost": sorted(ours.keys() - theirs.keys()),
        "told_twice": told_twice(lossy),
        "differing": sorted(number for number in ours.keys() & theirs.keys() if ours[number] != theirs[number]),
        "done_again": list(lossy.asides),
        "same_front": front(whole.trials) == front(lossy.trials),
        "front": front(lossy.trials),
    }


def described(found: dict[str, Any], lossy: Searched) -> list[str]:
    """Say what was found."""
    again = found["done_again"]
    return [
        f"{len(lossy.trials)} trials told with {len(lossy.told)} outcomes",
        f"lost: {found['lost'] or 'nothing'}; told twice: {found['told_twice'] or 'nothing'}; "
        f"other than where all nodes lived: {found['differing'] or 'nothing'}",
        *(again or ["nothing was done again: the killed node was at nothing"]),
        f"the same front of {len(found['front'])} networks: {'yes' if found['same_front'] else 'NO'}",
    ]


def told_twice(search: Searched) -> list[int]:
    """Return the trials of which one outcome was told twice, and those whose network another trial had trained."""
    outcomes = Counter(search.told)
    networks = Counter(each.architecture.key for each in search.trials if each.rungs and each.duplicate_of is None)
    again = {number for (number, _), count in outcomes.items() if count > 1}
    return sorted(again | {each.number for each in search.trials if networks[each.architecture.key] > 1})


def story(trial: Trial) -> tuple[object, ...]:
    """Return what of a trial does not hang on the clock."""
    rungs = [(rung.steps, rung.psnr, rung.psnr_y) for rung in trial.rungs]
    return trial.number, trial.architecture.key, trial.state, trial.reason, trial.duplicate_of, rungs


def front(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Return the networks that none dominates, best PSNR first."""
    return [
        {
            "number": each.number, "network": each.architecture.summary, "psnr": each.psnr,
            "last_psnr": each.last_psnr, "steps": each.rungs[-1].steps, "runtime_ms": each.runtime_ms,
        }
        for each in front_of(trials)
    ]  # fmt: skip


def finite(seconds: float) -> float | None:
    """Return seconds as JSON has them; None where something never happened."""
    return seconds if math.isfinite(seconds) else None


def figures_of(search: Searched) -> dict[str, Any]:
    """Return what a search came to in numbers."""
    return {
        "seconds": search.seconds, "outcomes_told": len(search.told),
        "states": Counter(each.state for each in search.trials),
        "finished_rungs": Counter(len(each.rungs) for each in search.trials if each.rungs),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(run(main))

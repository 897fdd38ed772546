"""What a cluster adds to a training, and what a long record asks of the process that searches.

    python benchmarks/scale.py --trials 64 --seconds 1 --recorded 10000 --json scale.json

A local cluster of Ray's does simulated trainings, which sleep, for 1, 2, 4, 8 and 16 workers: trials a second, what
a task takes beyond its sleep from its submission to its outcome, and the share of their time that workers do not
sleep. Every number of workers has to tell the same trials in the same order. Then a record of so many trials is made,
and what the search does for one more is timed by its parts: learning what to expect, asking each sampler by these
expectations, telling, writing the tables, looking whether to go on and whom to promote. Last the process's memory, and
the bytes that a trial takes on the disk. It exits with 1 where trials differ, an overhead is over 50 ms or a proposal
over 0.5 s.
"""

import math
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from machine_paths import shown_command
from optuna.trial import TrialState, create_trial

from nas.config.search import SAMPLER_NAMES
from nas.optuna_backend.storage import open_storage
from nas.optuna_backend.stored import TRIAL, opened
from nas.optuna_backend.study import OptunaStudy
from nas.optuna_backend.trials import distributions
from nas.predictors.latency import LatencyPredictor
from nas.predictors.surrogate import Surrogate
from nas.report.tables import write_tables
from nas.samplers.protocol import Sampler, SearchProblem
from nas.samplers.random_search import RandomSearch
from nas.samplers.registry import make_sampler
from nas.stopping import stopping_state
from nas.successive_halving import Candidate, Rung, ladder, promotable, stale_keys
from nas.trial import Trial, front_of, trained_once
from search_spaces import SPACES
from search_spaces.architecture import Architecture
from search_spaces.fast_counts import counts
from sr.checkpoint import provenance
from sr.command import DONE, Parser, run
from sr.errors import InputError
from sr.executors.ray_cluster.connection import LOCAL, connected, imported
from sr.executors.ray_cluster.workers import RayCluster
from sr.files import write_json
from sr.measure.complexity import Complexity
from sr.measure.latency import Runtime
from sr.measure.measurement import Measurement
from sr.measure.quality import Quality
from sr.measure.target import Conditions
from sr.terminal import say

FAILED = 1
WORKERS = (1, 2, 4, 8, 16)
OVERHEAD_MS, PROPOSAL_SECONDS = 50.0, 0.5
SPACE, BUDGET_MS, LR_SIZE = SPACES["msrresnet"], 100.0, (64, 64)
# Tasks before those that are timed: the first ones load what the others find.
_WARM_UP = 2
_NEVER = 10**6
# What takes as long is not repeated.
_LONG_SECONDS = 20.0


@dataclass(frozen=True)
class Config:
    """So many trainings of so many seconds each on so many workers, and the length of the record.

    Attributes:
        trials: Simulated trainings for each number of workers.
        seconds: That each of them sleeps.
        workers: At once, one number after another.
        recorded: Trials of the long record.
        repeats: How often each part is timed there.
        samplers: Those that are asked.
    """

    trials: int
    seconds: float
    workers: tuple[int, ...]
    recorded: int
    repeats: int
    samplers: tuple[str, ...]

    def __post_init__(self) -> None:
        if min(self.trials, self.recorded, self.repeats, *self.workers) < 1 or self.seconds < 0:
            raise InputError(f"trials, workers, repeats and the record are at least 1 and no time below 0, got {self}")
        if unknown := set(self.samplers) - set(SAMPLER_NAMES):
            raise InputError(f"--samplers takes of {', '.join(SAMPLER_NAMES)}, got {unknown.pop()}")


def main(argv: list[str] | None = None) -> int:
    """Measure both and print them."""
    config, figures = parse(argv)
    with tempfile.TemporaryDirectory(prefix="paretosr-scale-") as name:
        rows = trainings(config, Path(name))
        record = long_record(config, Path(name))
    same = all(row["told"] == rows[0]["told"] for row in rows)
    slowest = max(record["ask_seconds"].values())
    say(f"the same trials in the same order by every number of workers: {'yes' if same else 'NO'}")
    say(f"the slowest proposal at {config.recorded:,} trials: {slowest:.3f} s; {record['memory_mb']:.0f} MB in all")
    if figures is not None:
        write_json(figures, {
            "workers": [{key: value for key, value in row.items() if key != "told"} for row in rows],
            "same_trials": same, "record": record, "trials": config.trials, "seconds": config.seconds,
            "processors": os.cpu_count(), "ray": imported().__version__, "date": provenance()["date"],
            "command": shown_command("scale.py", argv),
        })  # fmt: skip
    kept = same and slowest <= PROPOSAL_SECONDS and all(row["overhead_ms"] <= OVERHEAD_MS for row in rows)
    return DONE if kept else FAILED


def parse(argv: list[str] | None) -> tuple[Config, Path | None]:
    """Return the config, and where the figures are to be written; raises InputError for a bad value."""
    parser = Parser(
        prog="python benchmarks/scale.py",
        description="Measure what a cluster adds to a training, and what a long record asks of the search.",
        example="python benchmarks/scale.py --trials 64 --seconds 1 --recorded 10000",
    )
    parser.add_argument("--trials", type=int, default=64, metavar="N", help="trainings a row (default 64)")
    parser.add_argument("--seconds", type=float, default=1.0, metavar="S", help="that each sleeps (default 1)")
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS, metavar="N", help="default 1 2 4 8 16")
    parser.add_argument("--recorded", type=int, default=10_000, metavar="N", help="of the record (default 10000)")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="of each part there (default 5)")
    parser.add_argument("--samplers", nargs="+", default=("mixed", "tpe", "nsga2", "evolution", "random"),
                        metavar="NAME", help="default: all but nni")  # fmt: skip
    parser.add_shared("json")
    args = parser.parse_args(argv)
    config = Config(
        args.trials, args.seconds, tuple(args.workers), args.recorded, args.repeats, tuple(args.samplers)
    )  # fmt: skip
    return config, args.json


def trainings(config: Config, folder: Path) -> list[dict[str, Any]]:
    """Return for each number of workers how fast it was, and what was told."""
    rows = []
    with connected(LOCAL, num_cpus=max(config.workers), num_gpus=0):
        warm_up(folder, config.trials)
        for workers in config.workers:
            with RayCluster(int, 0, workers) as pool:
                pool.start()
                for future in [pool.submit(sleep, 0.0) for _ in range(_WARM_UP * workers)]:
                    future.result()
                study = OptunaStudy(SPACE, f"{workers} workers", str(folder / "trainings.journal"), BUDGET_MS)
                began = time.perf_counter()
                told, beyond = search(study, pool, trials=config.trials, seconds=config.seconds)
                seconds = time.perf_counter() - began
                study.leave()
            overhead, idle = 1000 * statistics.median(beyond), 1 - config.trials * config.seconds / (workers * seconds)
            speed = f"{config.trials / seconds:.2f} trials/s, idle for {100 * idle:.0f} % of the time"
            say(f"{workers} workers: {speed}, a task takes {overhead:.1f} ms beyond its sleep")
            rows.append({
                "workers": workers, "trials_per_second": config.trials / seconds, "overhead_ms": overhead,
                "longest_overhead_ms": 1000 * max(beyond), "idle_share": idle,
                "told": told,
            })  # fmt: skip
    return rows


def warm_up(folder: Path, trials: int) -> None:
    """Do once what takes longer the first time, in this process and on the cluster."""
    study = OptunaStudy(SPACE, "warm-up", str(folder / "trainings.journal"), BUDGET_MS)
    with RayCluster(int, 0, 1) as pool:
        search(study, pool, trials=trials, seconds=0.0)
    study.leave()


def search(
    study: OptunaStudy, pool: RayCluster[int], *, trials: int, seconds: float
) -> tuple[list[tuple[int, str]], list[float]]:
    """Ask, train and tell as a search does, outcomes in the order in which they were begun.

    Returns:
        What was told, and the seconds that each task took beyond its sleep.
    """
    # It proposes by the number alone: what others know at that time, with more workers or fewer, differs.
    sampler = RandomSearch(SearchProblem(SPACE, 0, BUDGET_MS))
    running, told = deque[tuple[int, Architecture, Future[float]]](), list[tuple[int, str]]()
    beyond = list[float]()

    def finish() -> None:
        number, architecture, future = running.popleft()
        future.result()
        study.tell(simulated(number, architecture))
        told.append((number, architecture.key))

    for _ in range(trials):
        if len(running) == pool.workers:
            finish()
        number, architecture = study.ask(sampler.propose)
        future, submitted = pool.submit(sleep, seconds), time.perf_counter()
        future.add_done_callback(lambda _, since=submitted: beyond.append(time.perf_counter() - since - seconds))
        running.append((number, architecture, future))
    while running:
        finish()
    return told, beyond


def sleep(_state: int, seconds: float) -> float:
    """Stand for a training."""
    time.sleep(seconds)
    return seconds


def simulated(number: int, architecture: Architecture) -> Trial:
    """Return the outcome that an architecture always has: the more activations the slower, and the better."""
    found = counts(architecture.canonical, LR_SIZE)
    ms = found.activations / 2e5
    runtime = Runtime(ms, 0.9 * ms, 1.1 * ms, 20, reliable=True, memory_format="contiguous")
    complexity = Complexity(found.params, found.multi_adds, found.multi_adds, found.activations, 0, found.params)
    luck = random.Random(architecture.key).uniform(-0.3, 0.3)  # noqa: S311 - no secret
    psnr = 24 + math.log10(1 + found.multi_adds) / 5 + luck
    place = Conditions("simulated", "none", "none", 1, LR_SIZE, "float32")
    measured = Measurement(complexity, runtime, place, 5.0)
    if runtime.p90_ms > BUDGET_MS:
        return Trial(number, architecture, "infeasible", measured, "over the budget", 1.0)
    measured = Measurement(complexity, runtime, place, 5.0, Quality(psnr, psnr + 1.5, None, 5))
    return Trial(number, architecture, "trained", measured, "", 1.0, rungs=(Rung(100, psnr, 1.0, psnr + 1.5),))


def long_record(config: Config, folder: Path) -> dict[str, Any]:
    """Make a long record and time what the search does for one more trial, in seconds."""
    before, path = _memory_mb(), folder / "record.journal"
    fill(path, config.recorded)
    began = time.perf_counter()
    study = OptunaStudy(SPACE, "record", str(path), BUDGET_MS)
    resumed = time.perf_counter() - began
    asked, told = dict[str, float](), list[float]()
    surrogate = expecting(study.trials)
    problem = SearchProblem(
        SPACE, 0, BUDGET_MS, surrogate.is_predicted_feasible, surrogate.acquisition, surrogate.budget_share
    )
    for name in config.samplers:
        sampler = make_sampler(name, "TPE", problem)
        asked[name] = statistics.median(_one_more(study, sampler, told) for _ in range(config.repeats))
        say(f"a proposal of {name} at {config.recorded:,} trials: {asked[name]:.3f} s")
    trials = study.trials
    parts = {
        "learning": _median(config.repeats, lambda: expecting(trials)),
        "tell": statistics.median(told),
        "tables": _median(config.repeats, lambda: write_tables(folder, trials)),
        "stopping": _median(config.repeats, lambda: stopping_state(trials, BUDGET_MS, _NEVER)),
        "front": _median(config.repeats, lambda: front_of(trials)),
        "promotion": _median(config.repeats, lambda: _promotion(trials)),
    }
    for name, seconds in parts.items():
        say(f"{name} at {config.recorded:,} trials: {seconds:.3f} s")
    study.leave()
    return {
        "trials": config.recorded, "ask_seconds": asked, "part_seconds": parts, "resume_seconds": resumed,
        "memory_mb": _memory_mb(), "memory_before_mb": before,
        "bytes_per_trial": path.stat().st_size / config.recorded,
    }  # fmt: skip


def fill(path: Path, trials: int) -> None:
    """Write a record of so many different trials at once, as if told one after another."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study, _ = opened("record", open_storage(str(path)))
    proposed, names = _different(), distributions(SPACE)
    for number in range(trials):
        architecture = next(proposed)
        trial, picks = simulated(number, architecture), SPACE.encode(architecture)
        trained = trial.state == "trained"
        values = None
        if trained:
            negative, runtime_ms, activations = trial.objectives
            values = [-negative, runtime_ms, activations]
        study.add_trial(create_trial(
            state=TrialState.COMPLETE if trained else TrialState.PRUNED, values=values, params=picks,
            distributions=names, user_attrs={TRIAL: trial.to_json()}, system_attrs={"fixed_params": picks},
        ))  # fmt: skip


def _different() -> Iterator[Architecture]:
    """Draw architectures, each network once."""
    rng, seen = random.Random(0), set[str]()  # noqa: S311 - no secret
    while True:
        architecture = SPACE.decode({name: rng.choice(list(values)) for name, values in SPACE.choices.items()})
        if architecture.key not in seen:
            seen.add(architecture.key)
            yield architecture


def _one_more(study: OptunaStudy, sampler: Sampler, told: list[float]) -> float:
    """Ask for a trial and tell it; returns the seconds of asking, and adds those of telling."""
    began = time.perf_counter()
    number, architecture = study.ask(sampler.propose)
    asked = time.perf_counter()
    study.tell(simulated(number, architecture))
    told.append(time.perf_counter() - asked)
    return asked - began


def expecting(trials: list[Trial]) -> Surrogate:
    """Return what learned from trials as a search does before it proposes."""
    surrogate = Surrogate(LatencyPredictor(LR_SIZE), BUDGET_MS, LR_SIZE, ladder(1600), widths=SPACE.num_feat)
    surrogate.observe(trials)
    return surrogate


def _promotion(trials: list[Trial]) -> None:
    """Look whom to promote and whose weights may go, as after each outcome."""
    known = [(each.architecture.key, *each.objectives[1:], each.rungs) for each in trained_once(trials)]
    candidates, rungs = [Candidate(*each) for each in known], ladder(1600)
    promotable(candidates, rungs)
    stale_keys(candidates, rungs, 4 * len(candidates))


def _median(repeats: int, work: Callable[[], object]) -> float:
    """Return the median of the seconds that something takes; what takes long is done once."""
    taken = list[float]()
    while len(taken) < repeats and sum(taken) < _LONG_SECONDS:
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def _memory_mb() -> float:
    """Return the most memory that this process ever had, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    sys.exit(run(main))

"""One process of a search under faults: real candidates, measured and trained, on a record that it shares.

    python benchmarks/faults_worker.py FOLDER STORAGE TRIALS STEPS SEED

It says in FOLDER.log what it begins and, after the record has it, what it told: a line each, by which the one who
kills it knows what was lost.
"""

import json
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from nas.config.search import SearchConfig
from nas.evaluate import cost_candidate
from nas.loop import Search
from nas.optuna_backend.storage import has_study
from nas.pipeline import prepare
from nas.predictors.surrogate import Surrogate
from nas.report.tables import write_tables
from nas.resume import is_begun, open_study
from nas.samplers.aiming import first_candidates
from nas.samplers.protocol import SearchProblem
from nas.samplers.registry import make_sampler
from nas.time_budget import TimeBudget
from nas.training.fidelity_schedule import fidelity_schedule
from nas.training.worker_state import WorkerState
from nas.trial import Trial
from search_spaces.architecture import Architecture
from sr.command import DONE, run
from sr.executors.in_process import InThisProcess
from sr.heartbeat import Heartbeat
from sr.measure.latency import Protocol
from sr.terminal import Terminal

# What is tested is the record: runtimes are real, and as few as decide under load.
_PROTOCOL = Protocol(seconds=0.0, minimum_runs=10, early_stop_runs=10, idle_seconds=0.0)
# Milliseconds that every candidate keeps to, so that each of them trains.
_BUDGET_MS = 60_000.0
_NEVER = 10**6


def main(argv: list[str] | None = None) -> int:
    """Search until all trials are told, and write the tables."""
    folder, storage, trials, steps, seed = sys.argv[1:] if argv is None else argv
    config = SearchConfig(
        budget_ms=_BUDGET_MS, out=folder, storage=storage, trials=int(trials), trial_steps=int(steps), seed=int(seed),
        fidelity="train", sampler="random", workers=1, device="cpu", engine="torch", lr_size=(32, 32), batch=2,
        patch=16, patience=_NEVER, use_predictions=False, resume=has_study(storage, "search"),
    )  # fmt: skip
    with Heartbeat(Terminal(), redrawn=False) as report:
        exists = is_begun(config)
        budget = TimeBudget(config.seconds, config.trials)
        setup, _, _ = prepare(config, budget, report)
        space = config.search_space
        study, setup = open_study(config, space, setup, None, exists=exists)
        fidelity = fidelity_schedule("train", setup, Path(folder) / "candidates")
        surrogate = Surrogate(
            None, setup.budget_ms, setup.target.lr_size, fidelity.ladder, fidelity.is_trainable, space.num_feat
        )
        problem = SearchProblem(
            space, config.seed, setup.budget_ms, surrogate.is_predicted_feasible, surrogate.acquisition,
            surrogate.budget_share,
        )  # fmt: skip
        study.enqueue(first_candidates(problem))
        measured = partial(cost_candidate, setup=setup, protocol=_PROTOCOL)

        def evaluate(number: int, architecture: Architecture) -> Trial:
            _log(folder, {"begun": number, "at": time.monotonic()})
            return measured(number, architecture)

        def on_told(trial: Trial, told: Sequence[Trial]) -> None:
            _log(folder, {"told": trial.number, "key": trial.architecture.key, "state": trial.state})
            write_tables(Path(folder), told)

        sampler = make_sampler(config.sampler, config.nni_tuner, problem)
        Search(
            study, sampler, evaluate, fidelity, InThisProcess(WorkerState(setup)), surrogate, budget,
            patience=config.patience, on_told=on_told, report=report,
        ).run()  # fmt: skip
        write_tables(Path(folder), study.trials)
    return DONE


def _log(folder: str, line: dict[str, object]) -> None:
    """Say something beside the folder, whose disk may be full."""
    with Path(f"{folder}.log").open("a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    sys.exit(run(main))

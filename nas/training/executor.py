"""Where the trainings of a search are done: in this process, in processes beside it, or on a cluster."""

import itertools
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import torch

from nas.bucket import Bucket
from nas.evaluate import Setup
from nas.training.on_cluster import trainers
from nas.training.task import TrainingResult
from nas.training.worker_state import WorkerState
from sr.errors import InputError
from sr.executors.executor import Executor, WorkerDiedError
from sr.executors.in_process import InThisProcess
from sr.executors.processes import Processes
from sr.progress import Report, no_report
from sr.worker_process import in_shared_memory


def executor(
    workers: int | None, setup: Setup, on_cluster: Bucket | Path | None = None, *, report: Report = no_report
) -> Executor[WorkerState]:
    """Return what trains so many at once: this process for one, else processes beside it, over the devices in turn.

    Args:
        workers: How many; None, on a cluster alone, for as many as it has room for.
        setup: What they train on.
        on_cluster: Where the nodes of the connected cluster are to train, the bucket of the weights or their folder,
            which every node sees by that path; None for this machine.
        report: Is told of workers of a cluster that die.

    Equal tasks give equal results in both as far as the recipe's precision and memory format are autotuned; another
    number of threads may change the last bits.

    Raises:
        InputError: For less than one, and where the pictures do not fit in the memory that processes share.
    """
    if workers is not None and workers < 1:
        raise InputError(f"--workers must be at least 1, got {workers}")
    if on_cluster is not None:
        return trainers(workers, setup, on_cluster, report)
    if workers is None:
        raise InputError("--workers must be a number where no cluster says how many there is room for")
    if workers == 1:
        return InThisProcess(WorkerState(setup))
    shared = replace(setup, train=in_shared_memory(setup.train), val=in_shared_memory(setup.val))
    devices = itertools.islice(itertools.cycle(setup.devices or (setup.target.device,)), workers)
    return Processes(WorkerState, [_on(device, shared) for device in devices], setup.target.device)


def _on(device: torch.device, setup: Setup) -> Setup:
    """Return the setup of a worker that trains on another device than networks are measured on."""
    return setup if device == setup.target.device else replace(setup, target=replace(setup.target, device=device))


def outcome(training: Future[TrainingResult]) -> TrainingResult:
    """Wait for `WorkerState.train` in an executor; where its process dies, that is a failed training.

    Raises:
        InputError: As `WorkerState.train` does.
    """
    try:
        return training.result()
    except WorkerDiedError as error:
        return TrainingResult(None, 0.0, str(error))

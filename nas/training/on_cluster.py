"""Trainings on the nodes of a cluster, with the weights where all of them find them."""

import socket
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from nas.bucket import Bucket
from nas.evaluate import Setup
from nas.training.cluster_room import left_to_train_on
from nas.training.stored_pictures import StoredPairs, without_pictures
from nas.training.worker_state import WorkerState
from sr.errors import InputError
from sr.executors.ray_cluster.connection import nodes
from sr.executors.ray_cluster.room import shares
from sr.executors.ray_cluster.workers import RayCluster, named_by_function
from sr.progress import Report, no_report


@dataclass(frozen=True)
class DeviceLocks:
    """Where a machine keeps the locks of its devices, for workers on it that Ray started with a folder of their own.

    Attributes:
        host: The machine.
        folder: Its temporary folder.
    """

    host: str
    folder: str

    @classmethod
    def of_this_machine(cls) -> "DeviceLocks":
        """Return those that this process keeps to."""
        return cls(socket.gethostname(), tempfile.gettempdir())

    def share(self) -> None:
        """Keep to them, on the same machine: whoever measures and who trains there wait for each other."""
        if socket.gethostname() == self.host:
            tempfile.tempdir = self.folder


def on_own_gpu(setup: Setup) -> Setup:
    """Return a setup on the GPU that Ray shows a worker, the only one; as it is on a CPU."""
    if setup.target.device.type != "cuda":
        return setup
    return replace(setup, target=replace(setup.target, device=torch.device("cuda", 0)))


@dataclass(frozen=True)
class _Stored:
    """What a worker begins with: the setup, its pictures, and the bucket of the weights or a file in their folder."""

    setup: Setup
    train: StoredPairs
    val: StoredPairs
    weights: Bucket | Path
    locks: DeviceLocks


def trainers(
    workers: int | None, setup: Setup, weights: Bucket | Path, report: Report = no_report
) -> RayCluster[WorkerState]:
    """Return what trains on the nodes of the connected cluster.

    Args:
        workers: How many train at once; None for as many as there are GPUs, or on CPUs as many as the nodes have room
            for with the processors of the smallest.
        setup: Its device says whether they train on GPUs.
        weights: The bucket that they lie in, or their folder, which all nodes see by the same path.
        report: Is told of workers that die.

    Raises:
        InputError: Where no node has what they train on and `workers` is None.
    """
    share, workers = shares(left_to_train_on(nodes(), setup), workers, on_gpus=setup.target.device.type == "cuda")
    if isinstance(weights, Bucket):
        weights.mark()
    stored = _Stored(
        without_pictures(setup), StoredPairs.of(setup.train), StoredPairs.of(setup.val),
        weights if isinstance(weights, Bucket) else _token(weights), DeviceLocks.of_this_machine(),
    )  # fmt: skip
    return RayCluster(_begun, stored, workers, share, label=_label, report=report)


def _token(folder: Path) -> Path:
    """Return the file among the weights by whose name a node knows the folder, left there where it was not."""
    folder.mkdir(parents=True, exist_ok=True)
    there = sorted(folder.glob(".seen-by-all-*"))
    path = there[0] if there else folder / f".seen-by-all-{uuid.uuid4().hex}"
    path.touch()
    return path


def _begun(stored: _Stored) -> WorkerState:
    """Return the state of a worker on its node; raises InputError where that lacks what the others have."""
    here = socket.gethostname()
    stored.locks.share()
    _check_weights(stored.weights, here)
    setup = on_own_gpu(replace(stored.setup, train=stored.train.pairs(), val=stored.val.pairs()))
    if setup.target.device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"node {here} has no CUDA device that its torch can use; start it with --num-gpus 0")
    return WorkerState(setup, stored.weights if isinstance(stored.weights, Bucket) else None)


def _check_weights(weights: Bucket | Path, node: str) -> None:
    """Raise InputError where a node does not reach the weights."""
    if isinstance(weights, Path):
        if not weights.exists():
            raise InputError(
                f"node {node} does not see {weights.parent}; give --artifacts a folder that every node has by that "
                f"path, or a bucket"
            )
        return
    try:
        is_there = weights.is_marked()
    except InputError as error:
        raise InputError(f"node {node}: {error}") from error
    if not is_there:
        raise InputError(f"node {node}: {weights.url} is another place there; give --artifacts a bucket that all reach")


def _label(work: Callable[..., object], *args: object, **_kwargs: object) -> str:
    """Name work for Ray's dashboard: by its task where that says what it is."""
    label: str = getattr(args[0], "label", "") if args else ""
    return label or named_by_function(work)

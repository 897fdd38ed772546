"""Trainings on the nodes of a cluster: pictures once on each node, weights in a folder that all of them see."""

import socket
import tempfile
import uuid
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from nas.evaluate import Setup
from nas.training.worker_state import WorkerState
from sr.data.pairs import Packed, Pairs
from sr.errors import InputError
from sr.executors.ray_cluster.connection import nodes
from sr.executors.ray_cluster.room import shares
from sr.executors.ray_cluster.workers import RayCluster, named_by_function
from sr.progress import Report, no_report

_NONE = Packed(torch.empty(0, dtype=torch.uint8), *(torch.empty(0, dtype=torch.int64) for _ in range(3)))


def without_pictures(setup: Setup) -> Setup:
    """Return a setup as it travels to another machine: what it holds of pictures and of this machine stays here."""
    nothing = Pairs((), _NONE, _NONE, scale=setup.scale)
    return replace(setup, train=nothing, val=nothing, measurer=None, devices=())


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
class StoredPairs:
    """Pairs as numpy arrays, which every worker of a node reads where they lie in the object store.

    Tensors would be copied into each worker.
    """

    names: tuple[str, ...]
    lr: tuple["np.ndarray[tuple[int, ...], np.dtype[np.generic]]", ...]
    hr: tuple["np.ndarray[tuple[int, ...], np.dtype[np.generic]]", ...]
    scale: int

    @classmethod
    def of(cls, pairs: Pairs) -> "StoredPairs":
        """Return pairs as they are stored, from whatever device they lie on."""
        there = pairs.to("cpu")
        return cls(there.names, _arrays(there.lr), _arrays(there.hr), there.scale)

    def pairs(self) -> Pairs:
        """Return the pairs, whose tensors are the arrays themselves."""
        return Pairs(self.names, _packed(self.lr), _packed(self.hr), scale=self.scale)


@dataclass(frozen=True)
class _Stored:
    """What a worker begins with: the setup, its pictures, the folder of the weights and a file that lies there."""

    setup: Setup
    train: StoredPairs
    val: StoredPairs
    token: Path
    locks: DeviceLocks


def trainers(workers: int | None, setup: Setup, folder: Path, report: Report = no_report) -> RayCluster[WorkerState]:
    """Return what trains on the nodes of the connected cluster.

    Args:
        workers: How many train at once; None for as many as there are GPUs, or on CPUs as many as the nodes have room
            for with the processors of the smallest.
        setup: Its device says whether they train on GPUs.
        folder: Of the weights, which all nodes see by the same path.
        report: Is told of workers that die.

    Raises:
        InputError: Where no node has what they train on and `workers` is None.
    """
    share, workers = shares(nodes(), workers, on_gpus=setup.target.device.type == "cuda")
    stored = _Stored(
        without_pictures(setup), StoredPairs.of(setup.train), StoredPairs.of(setup.val), _token(folder),
        DeviceLocks.of_this_machine(),
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
    here, folder = socket.gethostname(), stored.token.parent
    stored.locks.share()
    if not stored.token.exists():
        raise InputError(
            f"node {here} does not see {folder}; give --artifacts a folder that every node has by that path"
        )
    setup = on_own_gpu(replace(stored.setup, train=stored.train.pairs(), val=stored.val.pairs()))
    if setup.target.device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"node {here} has no CUDA device that its torch can use; start it with --num-gpus 0")
    return WorkerState(setup)


def _label(work: Callable[..., object], *args: object, **_kwargs: object) -> str:
    """Name work for Ray's dashboard: by its task where that says what it is."""
    label = getattr(args[0], "label", "") if args else ""
    return label or named_by_function(work)


def _arrays(packed: Packed) -> tuple["np.ndarray[tuple[int, ...], np.dtype[np.generic]]", ...]:
    return tuple(each.numpy() for each in (packed.values, packed.offsets, packed.heights, packed.widths))


def _packed(arrays: tuple["np.ndarray[tuple[int, ...], np.dtype[np.generic]]", ...]) -> Packed:
    with warnings.catch_warnings():
        # What lies in the object store can be read alone, and pictures are.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return Packed(*map(torch.from_numpy, arrays))

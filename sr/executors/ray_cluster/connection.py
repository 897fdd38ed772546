"""The cluster that work goes to: one that is there, or one of this machine alone, which ends with what it was for."""

import contextlib
import importlib.util
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from sr.errors import InputError
from sr.printable import printable

# What stands for an address: the cluster that this machine is a node of, and one of this machine alone.
AUTO, LOCAL = "auto", "local"
# Read when ray is imported: whether nodes are reached from other machines. One machine's need not be.
_REACHED_FROM_OUTSIDE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


@dataclass(frozen=True)
class Share:
    """What a worker takes of its node while it lives.

    Attributes:
        num_cpus: Processors, which on a CPU are its threads too.
        num_gpus: GPUs; 0.5 is half of one, of which Ray gives the other half to another worker.
        resources: Of the custom ones of Ray, by name.
    """

    num_cpus: float = 1.0
    num_gpus: float = 0.0
    resources: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.num_cpus < 0 or self.num_gpus < 0 or any(share <= 0 for share in self.resources.values()):
            raise InputError(f"a worker's share of its node is none below zero, got {self}")


@dataclass(frozen=True)
class Node:
    """A machine of the cluster: what people call it, and what it has, by Ray's names."""

    name: str
    resources: Mapping[str, float]


@contextlib.contextmanager
def connected(address: str, *, num_cpus: int | None = None, num_gpus: int | None = None) -> Iterator[None]:
    """Be connected to a cluster while the block lasts; a connection that is there is used, and left as it is.

    Args:
        address: `auto` for the cluster that this machine is a node of, ray://HOST:10001 for one that is elsewhere,
            `local` for one of this machine alone, which no other reaches and which ends with the block.
        num_cpus: Processors that a local one has; None for all.
        num_gpus: GPUs that a local one has; None for all.

    Raises:
        InputError: Where ray is not installed or the cluster is not there.
    """
    if address == LOCAL:
        os.environ.setdefault(_REACHED_FROM_OUTSIDE, "0")
    ray = imported()
    if ray.is_initialized():
        yield
        return
    own = {"num_cpus": num_cpus, "num_gpus": num_gpus, "include_dashboard": None} if address == LOCAL else {}
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, ImportError, OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        why = " ".join(printable(line) for line in str(error).splitlines())[:300]
        raise InputError(f"--cluster {address} is not there: {why}; {_what_to_do(address)}") from error
    try:
        yield
    finally:
        ray.shutdown()


def nodes() -> list[Node]:
    """Return the living machines of the connected cluster, by name."""
    alive = [each for each in imported().nodes() if each["Alive"]]
    return sorted((Node(_name(each), each["Resources"]) for each in alive), key=lambda node: node.name)


def free(resource: str) -> float:
    """Return how much of a resource, by Ray's name, nobody in the connected cluster holds now."""
    return float(imported().available_resources().get(resource, 0.0))


def imported() -> ModuleType:
    """Return ray; raises InputError where it is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise InputError("a cluster takes Ray, which is not installed; pip install 'paretosr[cluster]'")
    import ray

    module: ModuleType = ray
    return module


def _name(node: Mapping[str, Any]) -> str:
    """Return what people call a node: its own name where it was given one, else its host's."""
    own, address = node.get("NodeName", ""), node["NodeManagerAddress"]
    host: str = node["NodeManagerHostname"]
    return host if own in ("", address) else str(own)


def _what_to_do(address: str) -> str:
    if address == AUTO:
        return "run ray start on this machine first, or give --cluster local or ray://HOST:10001"
    if address == LOCAL:
        return "see what Ray left in its temporary folder"
    return "is ray start --head running there, with its Ray Client server on that port?"

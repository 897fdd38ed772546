"""What runs on a node of a cluster: a worker's process, as Ray starts it."""

import socket
from collections.abc import Callable
from typing import Any

import torch


class NodeWorker:
    """A worker with a state of its own; Ray's actor is made of it."""

    def begin(self, make: Callable[[Any], object], value: object, threads: int) -> str:
        """Make the state, with so many threads for torch; returns the node's name."""
        torch.set_num_threads(threads)
        self._state = make(value)
        return self.where()

    def where(self) -> str:
        """Return the node's name."""
        return socket.gethostname()

    def work(self, work: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, Any]) -> object:
        """Do a piece of work with the state."""
        return work(self._state, *args, **kwargs)

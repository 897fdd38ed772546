"""A process that trains beside others for the one that started it: how it begins, ends, and what it shares with it."""

import contextlib
import os
import signal
import threading
from multiprocessing.connection import Connection

import torch

from sr.data.pairs import Pairs
from sr.errors import InputError


def begin(threads: int, lifeline: Connection) -> None:
    """Make this process a worker of so many threads, which ends when the other end of `lifeline` is closed."""
    # Ctrl-C is for the main process, which then ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    torch.set_num_threads(threads)


def _end_with(lifeline: Connection) -> None:
    """End this process at once when the other end of `lifeline` is closed, be it that its process was killed."""
    with contextlib.suppress(OSError):
        lifeline.poll(None)
    os._exit(1)


def in_shared_memory(pairs: Pairs) -> Pairs:
    """Return pairs where all processes read them; those on a CPU are moved there themselves.

    What lies on a CUDA device stays there, one copy for all: a process that is started is given its address.

    Raises:
        InputError: Where the system's shared memory has no room for them.
    """
    there = pairs if pairs.lr.values.device.type == "cuda" else pairs.to("cpu")
    try:
        for side in (there.lr, there.hr):
            for tensor in (side.values, side.offsets, side.heights, side.widths):
                # On a CUDA device this does nothing.
                tensor.share_memory_()
    except RuntimeError as error:
        size = pairs.lr.values.nbytes + pairs.hr.values.nbytes
        raise InputError(
            f"trainings at once share {size / 1e9:.1f} GB of pictures, more than the system's shared memory has left; "
            f"enlarge it or train one at a time"
        ) from error
    return there

"""Work that is done in processes beside this one, each with its share of the device."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.connection import Connection
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast

import torch

from sr.errors import InputError
from sr.executors.executor import WorkerDiedError
from sr.measure.device_lock import training_on
from sr.worker_process import begin

S = TypeVar("S")
V = TypeVar("V")
P = ParamSpec("P")
T = TypeVar("T")

_DIED = "a process that trained was killed, perhaps as the machine ran out of memory; train fewer at once"
_NOT_BEGUN = "a process to train in must start, but it died at once; train one at a time"


class Processes(Generic[S]):
    """Processes that share a device, on a CPU its threads in equal parts; see `Executor`.

    A process that dies loses its piece of work alone, and is started again for the next one.

    Args:
        make: Returns a worker's state; of a module's own, so that the process finds it.
        values: What `make` is given, for each worker, pictures in shared memory (`sr.worker_process.in_shared_memory`).
        device: That networks are measured on; whoever measures there waits while a process starts.
    """

    def __init__(self, make: Callable[[V], S], values: Sequence[V], device: torch.device) -> None:
        self.workers = len(values)
        # The lifeline closes with this process, however that ends, and each worker reads the other end.
        self._worker_end, self._lifeline = multiprocessing.Pipe(duplex=False)
        threads = max(1, torch.get_num_threads() // self.workers)
        self._processes = [_Worker[S]((make, value, threads, self._worker_end), device) for value in values]
        self._idle: SimpleQueue[_Worker[S]] = SimpleQueue()
        for worker in self._processes:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(self.workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._lifeline.close()
        self._threads.shutdown()
        for worker in self._processes:
            worker.shut_down()
        self._lifeline.close()
        self._worker_end.close()

    def submit(self, work: Callable[Concatenate[S, P], T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Hand a piece of work to the next idle process."""
        return self._threads.submit(partial(self._call_idle, work, *args, **kwargs))

    def start(self) -> None:
        """Start all processes."""
        list(self._threads.map(_Worker.start, self._processes))

    def everywhere(self, work: Callable[Concatenate[S, P], T], *args: P.args, **kwargs: P.kwargs) -> list[T]:
        """Do the same in all started processes."""
        return list(self._threads.map(lambda worker: worker.call(work, *args, **kwargs), self._processes))

    def _call_idle(self, work: Callable[Concatenate[S, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Wait for an idle process and do a piece of work in it."""
        worker = self._idle.get()
        try:
            worker.start()
            return worker.call(work, *args, **kwargs)
        finally:
            self._idle.put(worker)


class _Worker(Generic[S]):
    """One process; a pool of its own, so that a process that dies takes no other's work with it."""

    def __init__(self, beginning: tuple[Any, ...], device: torch.device) -> None:
        self._beginning, self._device = beginning, device
        self._pool: ProcessPoolExecutor | None = None

    def start(self) -> None:
        """Start the process where there is none or it died; raises WorkerDiedError where it dies while it starts.

        To be called in a thread of the executor's own, which from then on Ctrl-C does not reach.
        """
        if self._pool is not None:
            try:
                self._pool.submit(os.getpid).result()
            except BrokenProcessPool:
                self._pool.shutdown()
            else:
                return
        try:
            self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin, self._beginning)
            # Not earlier: making the pool lets them through again.
            _block_interrupts()
            # A process that starts is busy for seconds: whoever measures waits for it.
            with training_on(self._device):
                with _without_main():
                    began = self._pool.submit(os.getpid)
                began.result()
        except BrokenProcessPool as error:
            raise WorkerDiedError(_NOT_BEGUN) from error
        except OSError as error:
            # Its semaphores lie in the memory that processes share, which may be full.
            why = error.strerror or error
            raise InputError(f"a process to train in must start, but: {why}; train one at a time") from error

    def call(self, work: Callable[Concatenate[S, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do a piece of work in the started process and wait for it; raises WorkerDiedError where that dies."""
        assert self._pool is not None
        try:
            return cast("T", self._pool.submit(_work_here, work, *args, **kwargs).result())
        except BrokenProcessPool as error:
            raise WorkerDiedError(_DIED) from error

    def shut_down(self) -> None:
        """Wait for the end of the process."""
        if self._pool is not None:
            self._pool.shutdown()


# One process is started at a time.
_STARTING = threading.Lock()
# The state of this process where it is a worker; in all others there is none.
_STATES: list[object] = []


def _begin(make: Callable[[V], object], value: V, threads: int, lifeline: Connection) -> None:
    """Make this process a worker of so many threads, which ends with `lifeline`."""
    begin(threads, lifeline)
    _STATES.append(make(value))


def _work_here(work: Callable[..., object], *args: object, **kwargs: object) -> object:
    """Do a piece of work with the state of this worker process."""
    (state,) = _STATES
    return work(state, *args, **kwargs)


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Keep a process that is started meanwhile from running the user's script, as new processes do to find its names.

    A script without `if __name__ == "__main__"` would do all of its work again in each; what is done there is ours.
    """
    main = sys.modules["__main__"]
    with _STARTING:
        hidden: dict[str, Any] = {name: vars(main).pop(name) for name in ("__file__", "__spec__") if name in vars(main)}
        vars(main)["__spec__"] = None
        try:
            yield
        finally:
            vars(main).update(hidden)


def _block_interrupts() -> None:
    """Keep Ctrl-C from this thread, and from the processes that it starts before they can ignore it themselves."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

"""Several small candidates trained at once, each in a process of its own."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing.connection import Connection
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast

import torch

from nas.evaluate import Setup
from nas.training.executor import Executor, InProcessExecutor
from nas.training.task import TrainingResult, TrainingTask
from nas.training.worker_state import WorkerState
from sr.errors import InputError
from sr.measure.device_lock import training_on
from sr.worker_process import begin, in_shared_memory

_DIED = "the process that trained it was killed, perhaps as the machine ran out of memory; train fewer at once"

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")


def executor(workers: int, setup: Setup) -> Executor:
    """Return what trains so many at once: this process for one, else processes beside it.

    Raises:
        InputError: For less than one, and where the pictures do not fit in the memory that processes share.
    """
    if workers < 1:
        raise InputError(f"--workers must be at least 1, got {workers}")
    return InProcessExecutor(setup) if workers == 1 else WorkerPool(workers, setup)


class WorkerPool:
    """So many processes that share the device, on a CPU its threads in equal parts; see `Executor`.

    A process that dies fails its task alone, and is started again for the next one. Raises InputError where the
    pictures do not fit in the memory that processes share.
    """

    def __init__(self, workers: int, setup: Setup) -> None:
        self.workers = workers
        shared = replace(setup, train=in_shared_memory(setup.train), val=in_shared_memory(setup.val))
        # The lifeline closes with this process, however that ends, and each worker reads the other end.
        self._worker_end, self._lifeline = multiprocessing.Pipe(duplex=False)
        threads = max(1, torch.get_num_threads() // workers)
        self._processes = [_Worker(shared, threads, self._worker_end) for _ in range(workers)]
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        for worker in self._processes:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(workers)

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

    def submit(self, task: TrainingTask) -> Future[TrainingResult]:
        """Hand a task to the next idle process; see `Executor.submit`."""
        return self._threads.submit(self._train, task)

    def in_order(self, work: Callable[[WorkerState, A], T], items: Iterable[A]) -> Iterator[T]:
        """Do the work for all items; see `Executor.in_order`."""
        for future in [self._threads.submit(self._call_idle, work, item) for item in items]:
            try:
                yield future.result()
            except BrokenProcessPool as error:
                raise InputError(_DIED) from error

    def start(self) -> None:
        """Start all processes, so that no task waits for its own."""
        list(self._threads.map(_Worker.start, self._processes))

    def everywhere(self, work: Callable[Concatenate[WorkerState, P], T], *args: P.args, **kwargs: P.kwargs) -> list[T]:
        """Do the same in all started processes; see `Executor.everywhere`."""
        return list(self._threads.map(lambda worker: worker.call(work, *args, **kwargs), self._processes))

    def _train(self, task: TrainingTask) -> TrainingResult:
        """Wait for an idle process and train in it."""
        began = time.monotonic()
        try:
            return self._call_idle(WorkerState.train, task)
        except BrokenProcessPool:
            return TrainingResult(None, time.monotonic() - began, _DIED)

    def _call_idle(self, work: Callable[Concatenate[WorkerState, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Wait for an idle process and do a piece of work in it; raises BrokenProcessPool where it dies."""
        worker = self._idle.get()
        try:
            worker.start()
            return worker.call(work, *args, **kwargs)
        finally:
            self._idle.put(worker)


class _Worker:
    """One process; a pool of its own, so that a process that dies takes no other's work with it."""

    def __init__(self, setup: Setup, threads: int, lifeline: Connection) -> None:
        self._setup, self._threads, self._lifeline = setup, threads, lifeline
        self._pool: ProcessPoolExecutor | None = None

    def start(self) -> None:
        """Start the process where there is none or it died; raises InputError where it dies while it starts.

        To be called in a thread of the pool's own, which from then on Ctrl-C does not reach.
        """
        if self._pool is not None:
            try:
                self._pool.submit(os.getpid).result()
            except BrokenProcessPool:
                self._pool.shutdown()
            else:
                return
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, context, _begin, (self._setup, self._threads, self._lifeline))
        # Not earlier: making the pool lets them through again.
        _block_interrupts()
        try:
            # A process that starts is busy for seconds: whoever measures waits for it.
            with training_on(self._setup.target.device):
                with _without_main():
                    began = self._pool.submit(os.getpid)
                began.result()
        except BrokenProcessPool as error:
            raise InputError("a process to train in must start, but it died at once; train one at a time") from error
        except OSError as error:
            # Its semaphores lie in the memory that processes share, which may be full.
            why = error.strerror or error
            raise InputError(f"a process to train in must start, but: {why}; train one at a time") from error

    def call(self, work: Callable[Concatenate[WorkerState, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do a piece of work in the started process and wait for it; raises BrokenProcessPool where that dies."""
        assert self._pool is not None
        return cast("T", self._pool.submit(_work_here, work, *args, **kwargs).result())

    def shut_down(self) -> None:
        """Wait for the end of the process."""
        if self._pool is not None:
            self._pool.shutdown()


# One process is started at a time.
_STARTING = threading.Lock()
# The state of this process where it is a worker; in all others there is none.
_STATES: list[WorkerState] = []


def _begin(setup: Setup, threads: int, lifeline: Connection) -> None:
    """Make this process a worker of so many threads, which ends with `lifeline`."""
    begin(threads, lifeline)
    _STATES.append(WorkerState(setup))


def _work_here(work: Callable[..., object], *args: object, **kwargs: object) -> object:
    """Do a piece of work with the state of this worker process, and leave the device's memory to the others."""
    (state,) = _STATES
    try:
        return work(state, *args, **kwargs)
    finally:
        if state.setup.target.device.type == "cuda":
            torch.cuda.empty_cache()


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Keep a process that is started meanwhile from running the user's script, as new processes do to find its names.

    A script without `if __name__ == "__main__"` would search again in each of them; what is done there is ours alone.
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

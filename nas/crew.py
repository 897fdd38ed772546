"""Several small candidates trained at once, each in a process of its own, where measuring shows that it is faster."""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from queue import SimpleQueue
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar, cast

import torch

from nas.evaluate import Setup
from nas.jobs import Desk, Job, Result
from search_spaces.architecture import Architecture
from search_spaces.network import build
from sr.errors import InputError
from sr.lease import measuring_on, training_on
from sr.pairs import Pairs
from sr.recipe import Recipe
from sr.settling import seconds_per_step, settle
from sr.trainer import TrainingFailedError, failures

# So many trainings fill any device.
MOST_AT_ONCE = 4
# A larger crew that is not this many times as fast as the one before is not worth its memory.
GAIN = 1.1
# The speed of a crew is that of its fastest round: a shared machine only ever adds time.
ROUNDS, ROUND_SECONDS, FEWEST_STEPS, MOST_STEPS = 3, 1.0, 6, 100
DIED = "the process that trained it was killed, perhaps as the machine ran out of memory; train fewer at once"

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")


# The desk of this process where it is a worker; in all others there is none.
DESKS: list[Desk] = []


def take_seat(setup: Setup, threads: int, lifeline: Connection) -> None:
    """Make this process a worker of so many threads, which ends with `lifeline`."""
    # Ctrl-C is for the main process, which then ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with, args=(lifeline,), daemon=True).start()
    torch.set_num_threads(threads)
    DESKS.append(Desk(setup))


def end_with(lifeline: Connection) -> None:
    """End this process at once when the other end of `lifeline` is closed, be it that its process was killed."""
    with contextlib.suppress(OSError):
        lifeline.poll(None)
    os._exit(1)


def at_desk(work: Callable[..., object], *args: object, **kwargs: object) -> object:
    """Do a piece of work at the desk of this worker process, and leave the device's memory to the others."""
    (desk,) = DESKS
    try:
        return work(desk, *args, **kwargs)
    finally:
        if desk.setup.device.type == "cuda":
            torch.cuda.empty_cache()


class Seat:
    """The place of one worker process; a pool of its own, so that a process that dies takes no other's work with it."""

    def __init__(self, setup: Setup, threads: int, lifeline: Connection) -> None:
        self.setup, self.threads, self.lifeline = setup, threads, lifeline
        self.pool: ProcessPoolExecutor | None = None

    def start(self) -> None:
        """Start the process where there is none or it died; raises InputError where it dies while it starts.

        To be called in a thread of the crew's own, which from then on Ctrl-C does not reach.
        """
        if self.pool is not None:
            try:
                self.pool.submit(os.getpid).result()
            except BrokenProcessPool:
                self.pool.shutdown()
            else:
                return
        context = multiprocessing.get_context("spawn")
        self.pool = ProcessPoolExecutor(1, context, take_seat, (self.setup, self.threads, self.lifeline))
        # Not earlier: making the pool lets them through again.
        leave_interrupts()
        try:
            # A process that starts is busy for seconds: whoever measures waits for it.
            with training_on(self.setup.device):
                self.pool.submit(os.getpid).result()
        except BrokenProcessPool as error:
            raise InputError("a process to train in must start, but it died at once; train one at a time") from error

    def call(self, work: Callable[Concatenate[Desk, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do a piece of work in the started process and wait for it; raises BrokenProcessPool where that dies."""
        assert self.pool is not None
        return cast("T", self.pool.submit(at_desk, work, *args, **kwargs).result())

    def leave(self) -> None:
        """Wait for the end of the process."""
        if self.pool is not None:
            self.pool.shutdown()


class Crew:
    """So many trainings at once on the device of a setup; a context that waits for them, and in an error ends them.

    A single worker is this process, all others are processes of their own that share the device, on a CPU its threads
    in equal parts. Equal jobs give equal results in every crew as far as the recipe's precision and memory format are
    settled; another number of threads may change the last bits. Raises InputError where there is no worker, and where
    the pictures do not fit in the memory that processes share.
    """

    def __init__(self, workers: int, setup: Setup) -> None:
        if workers < 1:
            raise InputError(f"a crew has at least 1 worker, got {workers}")
        self.workers, self.desk = workers, Desk(setup)
        common = setup if workers == 1 else in_shared_memory(setup)
        # The lifeline closes with this process, however that ends, and each worker reads the other end.
        self.worker_end, self.lifeline = multiprocessing.Pipe(duplex=False)
        threads = max(1, torch.get_num_threads() // workers)
        self.seats = [Seat(common, threads, self.worker_end) for _ in range(workers if workers > 1 else 0)]
        self.idle: SimpleQueue[Seat] = SimpleQueue()
        for seat in self.seats:
            self.idle.put(seat)
        self.threads = ThreadPoolExecutor(workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.threads.shutdown(wait=False, cancel_futures=True)
            self.lifeline.close()
        self.threads.shutdown()
        for seat in self.seats:
            seat.leave()
        self.lifeline.close()
        self.worker_end.close()

    def submit(self, job: Job) -> Future[Result]:
        """Hand a job to the next idle worker; the future raises InputError as `nas.rungs.train_rung` does.

        Jobs wait while somebody measures on the device. With one worker the job is done on return, so whoever measures
        submits none to it. A process that dies fails its job alone, and is started again for the next one.
        """
        if self.seats:
            return self.threads.submit(self.train_apart, job)
        future: Future[Result] = Future()
        try:
            future.set_result(self.desk.train(job))
        except InputError as error:
            future.set_exception(error)
        return future

    def train_apart(self, job: Job) -> Result:
        """Wait for an idle process and train in it."""
        began = time.monotonic()
        try:
            return self.apart(Desk.train, job)
        except BrokenProcessPool:
            return Result(None, time.monotonic() - began, DIED)

    def apart(self, work: Callable[Concatenate[Desk, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Wait for an idle process and do a piece of work in it; raises BrokenProcessPool where it dies."""
        seat = self.idle.get()
        try:
            seat.start()
            return seat.call(work, *args, **kwargs)
        finally:
            self.idle.put(seat)

    def in_turn(self, work: Callable[[Desk, A], T], each: Iterable[A]) -> Iterator[T]:
        """Do a piece of work for each, as many at once as there are workers, and yield what came out in that order.

        Raises what the work raises, and InputError where its process dies.
        """
        if not self.seats:
            yield from (work(self.desk, one) for one in each)
            return
        for future in [self.threads.submit(self.apart, work, one) for one in each]:
            try:
                yield future.result()
            except BrokenProcessPool as error:
                raise InputError(DIED) from error

    def start(self) -> None:
        """Start all processes, so that no job waits for its own."""
        list(self.threads.map(Seat.start, self.seats))

    def everywhere(self, work: Callable[Concatenate[Desk, P], T], *args: P.args, **kwargs: P.kwargs) -> list[T]:
        """Do the same in all started workers at once and wait for it; raises BrokenProcessPool where one dies."""
        if not self.seats:
            return [work(self.desk, *args, **kwargs)]
        return list(self.threads.map(lambda seat: seat.call(work, *args, **kwargs), self.seats))


def leave_interrupts() -> None:
    """Keep Ctrl-C from this thread, and from the processes that it starts before they can ignore it themselves."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def in_shared_memory(setup: Setup) -> Setup:
    """Return the setup with its pairs where all processes read them; on a CPU that moves the setup's own."""

    def moved(pairs: Pairs) -> Pairs:
        there = pairs.to("cpu")
        for side in (there.lr, there.hr):
            for tensor in (side.values, side.offsets, side.heights, side.widths):
                tensor.share_memory_()
        return there

    try:
        return replace(setup, train=moved(setup.train), val=moved(setup.val))
    except RuntimeError as error:
        size = setup.train.lr.values.nbytes + setup.train.hr.values.nbytes
        raise InputError(
            f"trainings at once share {size / 1e9:.1f} GB of pictures, more than the system's shared memory has left; "
            f"enlarge it or train one at a time"
        ) from error


@dataclass(frozen=True)
class Speeds:
    """Steps a second of all trainings together by how many train at once, from 1 up; 0 where so many failed."""

    steps_per_second: Mapping[int, float]

    @property
    def best(self) -> int:
        """The size before the first one that is not GAIN times as fast."""
        best, *larger = sorted(self.steps_per_second)
        for size in larger:
            if self.steps_per_second[size] < GAIN * self.steps_per_second[best]:
                break
            best = size
        return best


def best_crew(setup: Setup, architecture: Architecture, most: int) -> Speeds:
    """Measure how fast crews of 1, 2, 4, ... up to `most` train an architecture, until one is not worth it.

    On a CPU no crew has more workers than this process has threads. Start-up is not counted. Raises InputError where
    `most` is less than 1, and TrainingFailedError where not even one training has room.
    """
    if most < 1:
        raise InputError(f"a crew has at least 1 worker, got {most}")
    device, speeds = setup.device, dict[int, float]()
    with failures():
        torch.manual_seed(setup.recipe.seed)
        network = build(architecture)
        # A teacher slows crews of all sizes alike.
        recipe = settle(network, replace(setup.recipe, distillation=0.0), setup.train, device)
        with training_on(device):
            seconds = seconds_per_step(network, recipe, setup.train, device)
    steps = max(FEWEST_STEPS, min(MOST_STEPS, round(ROUND_SECONDS / seconds)))
    for size in sizes(most if device.type != "cpu" else min(most, torch.get_num_threads())):
        with Crew(size, setup) as crew:
            try:
                crew.start()
                speeds[size] = speed(crew, architecture, recipe, steps)
            except (TrainingFailedError, BrokenProcessPool):
                if size == 1:
                    raise
                speeds[size] = 0.0
        if Speeds(speeds).best != size:
            break
    return Speeds(speeds)


def sizes(most: int) -> list[int]:
    """Return the powers of two from 1 to `most`."""
    return [2**power for power in range(most.bit_length())]


def speed(crew: Crew, architecture: Architecture, recipe: Recipe, steps: int) -> float:
    """Return the steps a second that a started crew takes in all, alone on the device, `steps` a worker and round.

    recipe: settled. Raises TrainingFailedError where the memory does not suffice, and BrokenProcessPool where a worker
    dies.
    """
    crew.everywhere(Desk.warm_up, architecture, recipe)
    rounds = []
    with measuring_on(crew.desk.setup.device):
        for _ in range(ROUNDS):
            began = time.perf_counter()
            crew.everywhere(Desk.take_steps, steps)
            rounds.append(time.perf_counter() - began)
    return crew.workers * steps / min(rounds)


def in_words(speeds: Speeds) -> str:
    """Say how many train at once, and the steps a second of every size that was tried."""
    alone = speeds.steps_per_second[1]
    tried = [f"{alone:.1f} steps/s alone"]
    for size, steps in sorted(speeds.steps_per_second.items())[1:]:
        tried.append(f"{steps:.1f} by {size} ({steps / alone:.2f} times)" if steps else f"no room for {size}")
    chosen = "one at a time" if speeds.best == 1 else f"{speeds.best} at once"
    return f"candidates train {chosen}: {', '.join(tried)}"

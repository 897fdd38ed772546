"""Workers on the nodes of a cluster, each an actor of Ray's: where they run and when is for Ray to say."""

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast

from sr.errors import InputError
from sr.executors.executor import WorkerDiedError
from sr.executors.ray_cluster.connection import Share, imported
from sr.executors.ray_cluster.on_node import NodeWorker
from sr.executors.ray_cluster.outcomes import raised, reason
from sr.progress import Message, Report, no_report
from sr.waiting import waiting_for

S = TypeVar("S")
V = TypeVar("V")
P = ParamSpec("P")
T = TypeVar("T")

Label = Callable[..., str]

# A piece of work whose worker died is done again by another so often.
_RETRIES = 2


def named_by_function(work: Callable[..., object], *_args: object, **_kwargs: object) -> str:
    """Name a piece of work by its function."""
    return getattr(work, "__qualname__", str(work))


class RayCluster(Generic[S]):
    """Workers on the connected cluster (`sr.executors.ray_cluster.connection.connected`); see `Executor`.

    A worker that dies, or whose node does, is started again where there is room; what it was at goes to the next idle
    one, twice at the most. As long as there is room for fewer workers than there are to be, those that there are do
    all of the work.

    Args:
        make: Returns a worker's state; of a module that every node has.
        value: What `make` is given. It lies in the object store, once for each node however many workers read it.
        workers: How many there are to be.
        share: What each takes of its node.
        threads: That torch has in each; None for as many as it has processors.
        label: Names a piece of work by what it is given, for whoever looks at Ray's dashboard.
        report: Is told of workers that die, in a thread of this executor's own.
    """

    def __init__(
        self,
        make: Callable[[V], S],
        value: V,
        workers: int,
        share: Share = Share(),  # noqa: B008 - frozen
        *,
        threads: int | None = None,
        label: Label = named_by_function,
        report: Report = no_report,
    ) -> None:
        if workers < 1:
            raise InputError(f"at least 1 worker is needed, got {workers}")
        ray = imported()
        self.workers, self._ray, self._label, self._report = workers, ray, label, report
        self._make, self._threads = make, max(1, int(share.num_cpus)) if threads is None else threads
        self._stored = ray.put(value)
        self._actor = ray.remote(NodeWorker).options(
            num_cpus=share.num_cpus, num_gpus=share.num_gpus, resources=dict(share.resources)
        )
        # Everything below belongs to one thread, which does what the events say, one after another.
        self._events: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._seats = [_Seat() for _ in range(workers)]
        self._idle: deque[_Seat] = deque()
        self._waiting: deque[_Piece] = deque()
        self._unfinished: set[_Piece] = set()
        self._lost: BaseException | None = None
        self._waits = contextlib.ExitStack()
        self._thread = threading.Thread(target=self._run, name="paretosr cluster", daemon=True)
        self._thread.start()
        for seat in self._seats:
            self._events.put(partial(self._occupy, seat))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            wait(self._asked(lambda: [piece.future for piece in self._unfinished]))
        self._events.put(self._end)
        self._events.put(None)
        self._thread.join()

    def submit(self, work: Callable[Concatenate[S, P], T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Hand a piece of work to the next idle worker."""
        piece = _Piece(work, args, kwargs, self._label(work, *args, **kwargs))
        self._events.put(partial(self._take_on, piece))
        return cast("Future[T]", piece.future)

    def start(self) -> None:
        """Start all workers, as many as there is room for sooner or later; waits for them."""
        with waiting_for(f"room in the cluster for {self.workers} workers"):
            for seat in self._seats:
                seat.begun.result()

    def everywhere(self, work: Callable[Concatenate[S, P], T], *args: P.args, **kwargs: P.kwargs) -> list[T]:
        """Do the same in all started workers."""
        started = self._asked(lambda: [seat.actor for seat in self._seats if seat.is_ready])
        references = [actor.work.remote(work, args, kwargs) for actor in started]
        try:
            return [cast("T", self._ray.get(each)) for each in references]
        except self._ray.exceptions.RayTaskError as error:
            raise raised(error) from error
        except self._ray.exceptions.RayError as error:
            raise WorkerDiedError(f"a worker of the cluster died: {reason(error)}") from error

    def _asked(self, question: Callable[[], T]) -> T:
        """Return what the thread that everything belongs to answers."""
        answer: Future[T] = Future()
        self._events.put(lambda: answer.set_result(question()))
        return answer.result()

    def _run(self) -> None:
        """Do what the events say until there are to be no more."""
        while (event := self._events.get()) is not None:
            try:
                event()
                self._hand_out()
            except Exception as error:  # noqa: BLE001 - whoever waits for work gets it
                self._lost = error
                self._fail_all(error)

    def _take_on(self, piece: "_Piece") -> None:
        if self._lost is not None:
            piece.future.set_exception(self._lost)
            return
        self._unfinished.add(piece)
        self._waiting.append(piece)

    def _hand_out(self) -> None:
        """Give waiting work to idle workers, and say so where there is work and nobody yet."""
        while self._waiting and self._idle:
            piece = self._waiting.popleft()
            if piece.deaths == 0 and not piece.future.set_running_or_notify_cancel():
                self._unfinished.discard(piece)
                continue
            seat = self._idle.popleft()
            try:
                self._call(seat, partial(self._done, seat, piece), piece.name, piece.work, piece.args, piece.kwargs)
            except Exception as error:  # noqa: BLE001 - such as of what cannot travel: whoever asks for the result gets it
                self._idle.append(seat)
                self._unfinished.discard(piece)
                piece.future.set_exception(error)
        nobody = bool(self._waiting) and not any(seat.is_ready for seat in self._seats)
        self._waits.close()
        if nobody:
            self._waits.enter_context(waiting_for("room in the cluster for a first worker"))

    def _call(self, seat: "_Seat", then: Callable[[Future[Any]], None], name: str, *call: object) -> None:
        """Have a worker do something; `then` is an event once it is done."""
        future = seat.actor.work.options(name=name).remote(*call).future()
        future.add_done_callback(lambda done: self._events.put(partial(then, done)))

    def _occupy(self, seat: "_Seat") -> None:
        """Begin a worker, wherever and whenever Ray finds room for it."""
        seat.actor, seat.is_ready = self._actor.remote(), False
        future = seat.actor.begin.options(name="begin").remote(self._make, self._stored, self._threads).future()
        future.add_done_callback(lambda done: self._events.put(partial(self._begun, seat, seat.actor, done)))

    def _begun(self, seat: "_Seat", actor: object, began: "Future[str]") -> None:
        """Make a worker that began an idle one; one that cannot is lost, and with the last one all work."""
        if actor is not seat.actor:
            return
        error = began.exception()
        if error is None:
            seat.is_ready, seat.deaths = True, 0
            self._idle.append(seat)
            if not seat.begun.done():
                seat.begun.set_result(None)
            return
        seat.deaths += 1
        if self._died(error) and seat.deaths <= _RETRIES:
            self._occupy(seat)
            return
        seat.failure = WorkerDiedError(_never(error)) if self._died(error) else raised(error)
        self._say(f"one worker of the cluster less: {seat.failure}")
        if not seat.begun.done():
            seat.begun.set_exception(seat.failure)
        if all(each.failure is not None for each in self._seats):
            self._lost = seat.failure
            self._fail_all(seat.failure)

    def _done(self, seat: "_Seat", piece: "_Piece", done: "Future[Any]") -> None:
        """Pass an outcome on; work whose worker died waits for another, before all other work."""
        error = done.exception()
        if error is None or not self._died(error):
            self._idle.append(seat)
            self._unfinished.discard(piece)
            if error is None:
                piece.future.set_result(done.result())
            else:
                piece.future.set_exception(raised(error))
            return
        piece.deaths += 1
        if piece.deaths <= _RETRIES:
            self._say(f"{piece.name}: its worker died, another does it again ({reason(error)})")
            self._waiting.appendleft(piece)
        else:
            self._unfinished.discard(piece)
            piece.future.set_exception(WorkerDiedError(_given_up(piece, error)))
        self._replace(seat)
        # With a node all of its workers die: none of them is given this work, only to lose it again.
        while self._idle:
            self._look_at(self._idle.popleft())

    def _replace(self, seat: "_Seat") -> None:
        """Begin another worker in the place of one that died, or that no longer answers."""
        self._ray.kill(seat.actor)
        self._occupy(seat)

    def _look_at(self, seat: "_Seat") -> None:
        """Make a worker idle again once it answers."""
        future = seat.actor.where.options(name="alive").remote().future()
        future.add_done_callback(lambda done: self._events.put(partial(self._answered, seat, done)))

    def _answered(self, seat: "_Seat", answer: "Future[str]") -> None:
        if answer.exception() is None:
            self._idle.append(seat)
        else:
            self._replace(seat)

    def _died(self, error: BaseException) -> bool:
        """Return whether an error is of a worker, not of its work."""
        task_error = self._ray.exceptions.RayTaskError
        return isinstance(error, self._ray.exceptions.RayError) and not isinstance(error, task_error)

    def _say(self, line: str) -> None:
        self._report(Message(line, aside=True))

    def _end(self) -> None:
        """End all workers, and what they are at."""
        self._lost = WorkerDiedError("the workers of the cluster were ended")
        for piece in self._waiting:
            piece.future.cancel()
        self._fail_all(self._lost)
        for seat in self._seats:
            self._ray.kill(seat.actor)
        self._idle.clear()

    def _fail_all(self, why: BaseException) -> None:
        """Fail all work that is not done."""
        self._waiting.clear()
        for piece in self._unfinished:
            if piece.future.running() or piece.future.set_running_or_notify_cancel():
                piece.future.set_exception(why)
        self._unfinished.clear()


@dataclass(eq=False)
class _Seat:
    """The place of one worker: whoever sits there now, and whether it began."""

    actor: Any = None
    is_ready: bool = False
    deaths: int = 0
    failure: BaseException | None = None
    begun: "Future[None]" = field(default_factory=Future)


@dataclass(eq=False)
class _Piece:
    """A piece of work, how many workers died at it, and what becomes of it."""

    work: Callable[..., object]
    args: tuple[object, ...]
    kwargs: dict[str, Any]
    name: str
    deaths: int = 0
    future: "Future[Any]" = field(default_factory=Future)


def _given_up(piece: _Piece, error: BaseException) -> str:
    return f"{piece.deaths} workers of the cluster died at it, one after another, the last one as: {reason(error)}"


def _never(error: BaseException) -> str:
    return f"a worker of the cluster must start, but it died at once: {reason(error)}"

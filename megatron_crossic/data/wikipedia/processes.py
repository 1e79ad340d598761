"""Work on untrusted pages, each segment in a process of its own that a bad page may take down.

A page can keep the parser busy for hours, or crash it. So the process says which page it is at and
sets an alarm; where that ends it, the segment is done again without the page. Nothing else is lost
and nothing hangs. Memory goes back to the system with each process.
"""

import mmap
import multiprocessing
import os
import signal
import struct
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar, cast

from megatron_crossic.data.workers import ctrl_c_later, live_with_parent
from megatron_crossic.errors import DataError

Task = TypeVar("Task")
Result = TypeVar("Result")

TOOK_TOO_LONG = "took_too_long"
CRASHED = "crashed"
_REASONS = {
    signal.SIGALRM: TOOK_TOO_LONG,
    signal.SIGSEGV: CRASHED,
    signal.SIGBUS: CRASHED,
    signal.SIGABRT: CRASHED,
}
_PAGE = struct.Struct("q")
_NO_PAGE = -1


class PageAlarm:
    """Says which page a process is at and ends the process where that takes too long."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._page = mmap.mmap(-1, _PAGE.size)  # shared by the process and its parent
        self._tell(_NO_PAGE)

    def at(self, page_id: int) -> None:
        """The work on a page begins."""
        self._tell(page_id)
        signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def past(self) -> None:
        """It has ended."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._tell(_NO_PAGE)

    @property
    def page_id(self) -> int | None:
        (page_id,) = _PAGE.unpack_from(self._page)
        return None if page_id == _NO_PAGE else int(page_id)

    def _tell(self, page_id: int) -> None:
        _PAGE.pack_into(self._page, 0, page_id)


Function = Callable[[Task, dict[int, str], PageAlarm], Result]
"""Called with a task, the pages to leave out and why, and the alarm to set for each page."""


@dataclass(kw_only=True, slots=True)
class _Run(Generic[Task]):
    task: Task
    process: BaseProcess
    alarm: PageAlarm
    bad_pages: dict[int, str] = field(default_factory=dict)


class SegmentProcesses(Generic[Task, Result]):
    """Runs tasks in forked processes, which inherit what `function` refers to."""

    def __init__(
        self, function: Function[Task, Result], *, workers: int, page_seconds: float
    ) -> None:
        self._function = function
        self._workers = workers
        self._page_seconds = page_seconds
        self._running: dict[Connection, _Run[Task]] = {}

    def results(self, tasks: Iterator[Task]) -> Generator[tuple[Task, Result], None, None]:
        """Yield tasks with their results as they are done, in no order.

        Errors of the function are raised here. Whatever ends the iteration ends the processes.
        """
        try:
            while True:
                while len(self._running) < self._workers:
                    task = next(tasks, None)
                    if task is None:
                        break
                    self._start(task, {})
                if not self._running:
                    return
                for connection in wait(self._running):
                    yield from self._finish(cast("Connection", connection))
        finally:
            for run in self._running.values():
                run.process.kill()
                run.process.join()

    def _start(self, task: Task, bad_pages: dict[int, str]) -> None:
        context = multiprocessing.get_context("fork")
        receiver, sender = context.Pipe(duplex=False)
        alarm = PageAlarm(self._page_seconds)
        process = context.Process(
            target=_run, args=(sender, self._function, task, bad_pages, alarm, os.getpid())
        )
        with ctrl_c_later():  # until the process says otherwise itself
            process.start()
        sender.close()  # so that the end of the process ends the pipe
        self._running[receiver] = _Run(task=task, process=process, alarm=alarm, bad_pages=bad_pages)

    def _finish(self, connection: Connection) -> Iterator[tuple[Task, Result]]:
        run = self._running.pop(connection)
        try:
            outcome = connection.recv()
        except EOFError:
            outcome = None
        connection.close()
        run.process.join()
        if isinstance(outcome, BaseException):
            raise outcome
        if outcome is not None:
            yield run.task, outcome[0]
            return
        page_id, code = run.alarm.page_id, -(run.process.exitcode or 0)
        reason = _REASONS.get(code)  # type: ignore[call-overload]
        if reason is None or page_id is None or page_id in run.bad_pages:
            raise _died(code, page_id)
        self._start(run.task, {**run.bad_pages, page_id: reason})


def _died(code: int, page_id: int | None) -> DataError:
    name = signal.Signals(code).name if code in signal.valid_signals() else f"exit code {-code}"
    place = "" if page_id is None else f" at page {page_id}"
    cure = (
        "Most often memory ran out: use fewer --workers or give the job more, then run the same "
        "command again; it goes on where it was."
        if code == signal.SIGKILL
        else "Run the same command again; it goes on where it was."
    )
    return DataError(
        f"worker processes must live until their work is done, got {name}{place}. {cure}"
    )


def _run(
    sender: Connection,
    function: Function[Any, Any],
    task: Any,
    bad_pages: dict[int, str],
    alarm: PageAlarm,
    parent: int,
) -> None:
    live_with_parent(parent)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # even where the parent has a use for it
    try:
        outcome: Any = (function(task, bad_pages, alarm),)
    except Exception as error:
        outcome = error
    alarm.past()
    sender.send(outcome)
    sender.close()

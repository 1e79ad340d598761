"""Results in order from worker processes, with an end whatever happens to one of them."""

import ctypes
import gc
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from megatron_crossic.errors import DataError

Item = TypeVar("Item")
Result = TypeVar("Result")

_PR_SET_PDEATHSIG = 1  # linux/prctl.h

_FUNCTION: list[Callable[[Any], Any]] = []
"""What a worker process calls: it inherits the function by being forked, so nothing is pickled."""


def available_cores() -> int:
    """Cores this process may use; in a container or a Slurm step often fewer than there are."""
    return len(os.sched_getaffinity(0))


def ordered_results(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, ahead: int
) -> Generator[tuple[Item, Result], None, None]:
    """Yield (item, function(item)) in the order of the items; to be closed where one stops early.

    With one worker in this process; else in forked processes, which hold the function's data
    (tokenizers) together. At most `ahead` items are under way or waiting: enough to keep the
    workers busy while a segment is written, and no more memory than that. Errors come where
    their item would.
    """
    if workers == 1:
        for item in items:
            yield item, function(item)
        return
    pool = ProcessPoolExecutor(
        max_workers=workers,
        mp_context=multiprocessing.get_context("fork"),
        initializer=_start,
        initargs=(function, os.getpid()),
    )
    try:
        yield from _ordered(pool, iter(items), ahead=ahead)
    except BrokenProcessPool as error:
        raise DataError(
            f"worker processes must live until their work is done, got one of {workers} killed. "
            "Most often memory ran out: use fewer --workers or give the job more, then run the "
            "same command again; it goes on where it was."
        ) from error
    finally:
        # Waiting takes as long as the blocks under way. Else the interpreter's exit writes to the
        # pool's pipe while its thread closes it, now and then, and prints a traceback.
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def in_background(
    function: Callable[[Item], Result], items: Sequence[Item], *, workers: int
) -> Iterator[Callable[[], list[Result]]]:
    """Call the function for all items in forked processes while the body does something else.

    What is yielded waits for the results, in order, and raises their errors. With one worker it
    does the work itself. An error in the body ends the processes.
    """
    if workers == 1:
        yield lambda: [function(item) for item in items]
        return
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        max_workers=min(workers, len(items)),
        mp_context=multiprocessing.get_context("fork"),
        initializer=_start,
        initargs=(function, os.getpid()),
    )
    try:
        with ctrl_c_later():
            futures = [pool.submit(_call, item) for item in items]
        yield lambda: [future.result() for future in futures]
    except BaseException:
        for process in set(multiprocessing.active_children()) - others:
            process.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ordered(
    pool: ProcessPoolExecutor, items: Iterator[Item], *, ahead: int
) -> Iterator[tuple[Item, Any]]:
    waiting: deque[tuple[Item, Future[Any]]] = deque()
    while True:
        for item in islice(items, ahead - len(waiting)):
            with ctrl_c_later():  # the first submission forks the workers
                waiting.append((item, pool.submit(_call, item)))
        if not waiting:
            return
        item, future = waiting.popleft()
        yield item, future.result()


@contextmanager
def ctrl_c_later() -> Iterator[None]:
    """Hold SIGINT back; a process forked meanwhile does so until it says otherwise (`_start`)."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _call(item: Any) -> Any:
    return _FUNCTION[-1](item)


def _start(function: Callable[[Any], Any], parent: int) -> None:
    """In a new worker: end with the parent and keep other thread pools out.

    What a block leaves behind has no cycles, so looking for them (a tenth of the time) is off.
    """
    live_with_parent(parent)
    gc.disable()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    _FUNCTION.append(function)


def live_with_parent(parent: int) -> None:
    """In a new process: end with the parent, whatever ends it, and leave Ctrl-C to it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was killed before the line above, which then does nothing
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

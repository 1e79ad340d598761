"""Worker processes end with their parent and are quiet, from the moment they are forked."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from megatron_crossic.data.workers import in_background, ordered_results
from megatron_crossic.errors import DataError

PROJECT = Path(__file__).parents[2]
WAIT = 20

# Each worker is held between the fork and its first own line: there a signal finds it unprepared.
HELD = """
import os, time
from megatron_crossic.commandline import run
from megatron_crossic.data.workers import in_background, ordered_results

os.register_at_fork(after_in_child=lambda: time.sleep(1))
run(lambda: list(ordered_results(lambda _: time.sleep(0.1), range(600), workers=2, ahead=4)))
"""


@pytest.fixture
def held() -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """A process and its two workers, which have just been forked."""
    with subprocess.Popen(
        [sys.executable, "-c", HELD],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        end = time.monotonic() + WAIT
        workers: list[psutil.Process] = []
        while len(workers) < 2:
            assert time.monotonic() < end, "the workers never came"
            time.sleep(0.005)
            workers = psutil.Process(process.pid).children()
        yield process, workers
        for each in workers:
            if each.is_running():
                each.kill()
        process.kill()


def test_a_worker_just_forked_ends_with_its_parent(
    held: tuple[subprocess.Popen[str], list[psutil.Process]],
) -> None:
    process, workers = held
    process.kill()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive


def test_a_worker_just_forked_leaves_ctrl_c_to_its_parent(
    held: tuple[subprocess.Popen[str], list[psutil.Process]],
) -> None:
    process, _ = held
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=WAIT)
    assert (process.returncode, errors) == (130, "interrupted\n")


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    found = ordered_results(lambda x: (x * x, os.getpid()), range(17), workers=workers, ahead=3)
    results = list(found)
    assert [(item, square) for item, (square, _) in results] == [(x, x * x) for x in range(17)]
    assert (os.getpid() in {pid for _, (_, pid) in results}) == (workers == 1)


def test_a_worker_that_dies_is_named_as_such() -> None:
    found = ordered_results(lambda _: os.kill(os.getpid(), 9), range(3), workers=2, ahead=3)
    with pytest.raises(DataError, match=r"got one of 2 killed.*use fewer --workers"):
        list(found)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.mark.parametrize("workers", [1, 3])
def test_background_results_come_in_the_order_of_the_items(workers: int) -> None:
    with in_background(lambda x: x * x, range(5), workers=workers) as results:
        assert results() == [0, 1, 4, 9, 16]


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_in_the_background_is_raised_where_results_are_asked_for(workers: int) -> None:
    def fail(item: int) -> None:
        raise DataError(f"item must be nice, got {item}")

    with (
        pytest.raises(DataError, match="^item must be nice, got 7$"),
        in_background(fail, [7], workers=workers) as results,
    ):
        results()


def test_an_error_in_front_does_not_wait_for_the_background() -> None:
    started = time.monotonic()
    with pytest.raises(KeyError), in_background(time.sleep, [1000, 1000], workers=2):
        raise KeyError
    assert time.monotonic() - started < 500

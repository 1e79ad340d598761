"""Puts `tests/` on the path, so that test folders share its modules, and makes inputs once.

Properties are checked without a time limit per example: discs and machines are slow at times.
"""

import importlib
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data sets and the checkpoint that `tiny_config` reads; never written to."""
    tiny_runs = importlib.import_module("tiny_runs")  # late: it imports megatron-core
    folder: Path = tiny_runs.tiny_inputs(tmp_path_factory.mktemp("inputs"))
    return folder

"""Weights & Biases, where it is asked for: the numbers of TensorBoard in one more place.

`run_dir/wandb_id` keeps the id of the run there, so that a resumed run goes on in the same curves.
Steps are a number among the others, not W&B's own count, which would drop the steps that a resumed
run makes a second time.
"""

import importlib
import importlib.util
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from megatron_crossic.config import RunConfig
from megatron_crossic.errors import ConfigError
from megatron_crossic.files import write_text_atomically
from megatron_crossic.train.options import to_yaml

PACKAGE = "wandb"
ID_FILE = "wandb_id"


def wandb_problems(config: RunConfig) -> list[str]:
    """What keeps the run from being told there, as messages; imports nothing."""
    if config.wandb is None:
        return []
    found = importlib.util.find_spec(PACKAGE)
    if found is not None and found.origin is not None:  # a mere folder `wandb` has no origin
        return []
    return [
        "wandb must be installed for the options of that group, got none. Run "
        "`pip install '.[wandb]'`, or leave the options out."
    ]


class WandbLog:
    """The run at W&B; use `open_wandb`."""

    def __init__(self, run: Any) -> None:
        self._run = run

    def scalars(self, values: Mapping[str, float], *, step: int) -> None:
        """Record numbers by name."""
        self._run.log({**values, "step": step})


@contextmanager
def open_wandb(config: RunConfig, *, resumed_step: int) -> Iterator[WandbLog | None]:
    """Start the run there, or go on with it after `resumed_step`; None where it is not wanted.

    `ConfigError` where W&B refuses it.
    """
    if config.wandb is None:
        yield None
        return
    wandb = importlib.import_module(PACKAGE)
    try:
        run = wandb.init(
            project=config.wandb.project,
            name=config.wandb.name or config.run_dir.resolve().name,
            id=run_id(config.run_dir, resumed_step=resumed_step),
            resume="allow",
            mode=config.wandb.mode,
            dir=str(config.run_dir),
            config=yaml.safe_load(to_yaml(config)),
            settings=wandb.Settings(
                console="off", silent=True, disable_git=True, disable_code=True, login_timeout=30
            ),
        )
    except wandb.errors.Error as error:
        message = " ".join(str(error).split()).rstrip(".")
        raise ConfigError(
            f"W&B must accept the run, got: {message}. Run `wandb login`, or use "
            "--wandb.mode offline."
        ) from error
    run.define_metric("step", hidden=True)
    run.define_metric("*", step_metric="step")
    with run:  # tells W&B whether an error ended it
        yield WandbLog(run)


def run_id(run_dir: Path, *, resumed_step: int) -> str:
    """The id of this run at W&B: a new one for a new run, kept in a file for those that resume."""
    file = run_dir / ID_FILE
    if resumed_step and file.exists():
        return file.read_text(encoding="utf-8").strip()
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", run_dir.resolve().name)[:40]
    made = f"{name}-{uuid.uuid4().hex[:12]}"
    write_text_atomically(file, made + "\n")
    return made

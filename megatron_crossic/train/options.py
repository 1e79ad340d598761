"""A YAML file and dotted options -> the configuration of a run, and back."""

import dataclasses
import re
from argparse import ArgumentError
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser, set_parsing_settings

from megatron_crossic.config import RunConfig
from megatron_crossic.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What a command line asks for."""

    config: RunConfig
    dry_run: bool


def parse(arguments: Sequence[str]) -> Request:
    """`--config run.yaml --parallel.tensor 2` -> the checked configuration.

    Later options win. `ConfigError` names an unknown key, a value of the wrong kind and every
    value that cannot work.
    """
    parser = _parser()
    try:
        values = parser.parse_args(list(arguments))
        del values["config"]
        dry_run = values.pop("dry_run")
        config = RunConfig(**vars(parser.instantiate(values)))
    except ArgumentError as error:
        message = _plain_reason(" ".join(str(error).split()).rstrip("."))
        raise ConfigError(
            f"options must be those of the configuration, got: {message}. "
            "Correct the configuration file or the option; --help lists them, --lora.help and "
            "--wandb.help those of these groups."
        ) from error
    config.check()
    return Request(config=config, dry_run=dry_run)


def _plain_reason(message: str) -> str:
    """Of a wrong value inside an optional group the parser also tells its own types."""
    told = r"^Parser key \"(\w+)\".* Problem with given class_path \S+ (.*) - Expected a .*None"
    found = re.search(told, message)
    return f"{found[2]} (group {found[1]})" if found else message


def _parser() -> ArgumentParser:
    set_parsing_settings(docstring_parse_attribute_docstrings=True)  # they are the help texts
    parser = ArgumentParser(
        prog="pretrain.py",
        description="Train a model on windows. Start it with torchrun for more than one process.",
        exit_on_error=False,
    )
    parser.add_argument("--config", action="config", help="YAML file; options override its values")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="check everything, print the resolved configuration and the layout, and stop",
    )
    parser.add_class_arguments(RunConfig)
    return parser


def to_yaml(config: RunConfig) -> str:
    """The resolved configuration; `parse` reads it back to the same values."""
    return yaml.safe_dump(to_plain(config), sort_keys=False)


def to_plain(record: Any) -> dict[str, Any]:
    """A dataclass as dictionaries, lists, texts and numbers, for YAML and JSON."""
    plain: dict[str, Any] = _plain(dataclasses.asdict(record))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value

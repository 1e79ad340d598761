"""`--sweep parallel.tensor=1,2 --sweep micro_batch_size=1,2,4` -> the points of a sweep."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from megatron_crossic.errors import ConfigError

_LONGEST_FOLDER = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepPoint:
    """One combination of values."""

    name: str
    """`parallel.tensor=2 micro_batch_size=1`."""
    settings: dict[str, str]
    """Option of pretrain.py -> its value."""

    @property
    def options(self) -> list[str]:
        """The settings as a command line; they win over what stands before them."""
        return [word for key, value in self.settings.items() for word in (f"--{key}", value)]

    @property
    def folder(self) -> str:
        """Name of the folder with its files; two points never share one."""
        plain = re.sub(r"[^\w.=-]", "_", self.name)
        if plain.replace("_", " ") == self.name.replace("_", " ") and len(plain) < _LONGEST_FOLDER:
            return plain
        digest = hashlib.sha256(self.name.encode()).hexdigest()[:8]
        return f"{plain[:_LONGEST_FOLDER]}-{digest}"


def sweep_points(texts: Sequence[str]) -> list[SweepPoint]:
    """The product of all values; a comma inside brackets belongs to a value.

    `parallel.tensor=1,2` and `micro_batch_size=1,2` are four points, the last option varies first.
    """
    values = dict(map(_parse, texts))
    if len(values) < len(texts):
        raise ConfigError(
            f"--sweep must name each option once, got {', '.join(texts)}. Give all its values in "
            "one: --sweep OPTION=1,2,4."
        )
    points = []
    for combination in product(*values.values()):
        settings = dict(zip(values, combination, strict=True))
        name = " ".join(f"{key}={value}" for key, value in settings.items())
        points.append(SweepPoint(name=name, settings=settings))
    return points


def _parse(text: str) -> tuple[str, list[str]]:
    key, equals, listed = text.partition("=")
    values = re.split(r",(?![^\[]*\])", listed)
    if not (re.fullmatch(r"\w+(\.\w+)*", key) and equals and all(values)):
        raise ConfigError(
            f"--sweep must be OPTION=VALUE,VALUE, got {text!r}. Use for example "
            "parallel.tensor=1,2,4."
        )
    if len(set(values)) < len(values):
        raise ConfigError(
            f"--sweep must give each value once, got {text!r}. Leave the repeated ones out."
        )
    return key, values

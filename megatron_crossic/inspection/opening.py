"""What is looked at: the tokenizer of a data set and the windows a user asks for."""

import random
from pathlib import Path

from megatron_crossic.data.store import WindowStore
from megatron_crossic.data.tokenizer import Tokenizer, load_tokenizer
from megatron_crossic.errors import ConfigError


def open_tokenizer(store: WindowStore, path: Path | None = None) -> Tokenizer:
    """The tokenizer the windows were made with, from `path` or from where it was then."""
    options = store.manifest.options
    path = path or Path(str(options.get("tokenizer", "")))
    if not path.name or not path.exists():
        raise ConfigError(
            f"tokenizer must exist, got nothing at {str(path)!r} for {store.prefix}. "
            "Name the folder or .model file it is in now with --tokenizer."
        )
    tokenizer = load_tokenizer(path, eod_token=options.get("eod_token"))
    if tokenizer.fingerprint != store.tokenizer_fingerprint:
        raise ConfigError(
            f"tokenizer must be the one {store.prefix} was made with "
            f"({store.tokenizer_fingerprint[:12]}…), got {tokenizer.fingerprint[:12]}… at {path}. "
            "Name the right one with --tokenizer."
        )
    return tokenizer


def choose_windows(
    num_windows: int, *, window: int | None = None, sample: int = 1, seed: int = 0
) -> list[int]:
    """One window by its number, or `sample` different ones in order; all, where there are fewer."""
    if window is not None:
        if not 0 <= window < num_windows:
            raise ConfigError(
                f"--window must be from 0 to {num_windows - 1}, got {window}. "
                "Windows are counted from 0."
            )
        return [window]
    if sample < 1:
        raise ConfigError(f"--sample must be at least 1, got {sample}. Use for example 10.")
    return sorted(random.Random(seed).sample(range(num_windows), min(sample, num_windows)))

"""megatron-core, imported without a compiler where there is no GPU.

It hands its fused functions to `torch.compile` while it is imported, which loads the whole
compiler: over two seconds of every start. On a CPU no fusion is ever called (model/build.py), so
there the functions stay what they are.
"""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def _without_compiler() -> Iterator[None]:
    compile_ = torch.compile
    torch.compile = _unchanged  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.compile = compile_


def _unchanged(model: Callable[..., Any], **_: Any) -> Callable[..., Any]:
    return model


def import_megatron() -> None:
    """Import megatron-core; what is imported already stays as it is."""
    if torch.cuda.is_available():
        return
    with _without_compiler():
        importlib.import_module("megatron.core")

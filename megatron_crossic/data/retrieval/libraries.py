"""Optional libraries, imported when they are needed, their number of threads and their seed."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from megatron_crossic.errors import ConfigError

LARGEST_SEED = 2**31 - 1
"""What FAISS and scikit-learn both take."""


def load_faiss() -> ModuleType:
    """FAISS, or how to get it."""
    return _load("faiss", "an index beyond exact search")


def load_scipy_sparse() -> ModuleType:
    """Sparse matrices, or how to get them."""
    return _load("scipy.sparse", "the embedded encoder")


def load_svd() -> ModuleType:
    """scikit-learn's module with the truncated SVD, or how to get it."""
    return _load("sklearn.utils.extmath", "the embedded encoder")


def load_sentence_transformers() -> ModuleType:
    """sentence-transformers, or how to get it."""
    return _load("sentence_transformers", "a pre-trained encoder", extra="encoders")


def load_hub() -> ModuleType:
    """The client of the Hugging Face Hub, or how to get it."""
    return _load("huggingface_hub", "a pre-trained encoder", extra="encoders")


@contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Have BLAS and OpenMP, which FAISS uses, take so many threads inside; None: as they are."""
    if threads is None:
        yield
        return
    if threads < 1:
        raise ConfigError(f"threads must be positive, got {threads}. Use for example 8.")
    with _load("threadpoolctl", "a number of threads").threadpool_limits(limits=threads):
        yield


def check_seed(seed: int) -> None:
    """Raises `ConfigError` for what some library would refuse in the middle."""
    if not 0 <= seed <= LARGEST_SEED:
        raise ConfigError(f"seed must be 0 to {LARGEST_SEED:,}, got {seed:,}. Use for example 0.")


def _load(name: str, purpose: str, *, extra: str = "retrieval") -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"{name} must be installed for {purpose}, got: {error}. "
            f"Run `pip install 'megatron-crossic[{extra}]'`."
        ) from error

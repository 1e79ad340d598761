"""Looks at pickled checkpoint metadata before megatron-core does, because a pickle can run code.

torch.distributed.checkpoint keeps its index of tensors as a pickle, `.metadata`. The format is
fixed, so the few classes it may name are known; a file that names anything else is refused before
any of its content is executed.
"""

import pickle
from pathlib import Path
from typing import Any

from torch.distributed.checkpoint.filesystem import _StorageInfo
from torch.distributed.checkpoint.metadata import Metadata

from megatron_crossic.errors import CheckpointError

METADATA = ".metadata"
_CHECKPOINT = "torch.distributed.checkpoint"

_ALLOWED = {
    ("collections", "OrderedDict"),
    ("pathlib", "PosixPath"),
    ("torch", "Size"),
    ("torch.serialization", "_get_layout"),
    (f"{_CHECKPOINT}.filesystem", "_StorageInfo"),
    *(
        (f"{_CHECKPOINT}.metadata", name)
        for name in (
            "BytesStorageMetadata",
            "ChunkStorageMetadata",
            "Metadata",
            "MetadataIndex",
            "StorageMeta",
            "TensorProperties",
            "TensorStorageMetadata",
            "_MEM_FORMAT_ENCODING",
        )
    ),
    *(
        (f"{_CHECKPOINT}.planner", name)
        for name in ("SavePlan", "TensorWriteData", "WriteItem", "WriteItemType")
    ),
}

_DTYPES = {
    *("float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"),
    *("int64", "int32", "int16", "int8", "uint8", "bool"),
}


class _KnownClasses(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ALLOWED or (module == "torch" and name in _DTYPES):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def read_index(folder: Path) -> Metadata:
    """Read `.metadata`: which piece of which tensor lies at which bytes of which file."""
    path = folder / METADATA
    index = check_pickle(path)
    places = index.storage_data if isinstance(index, Metadata) else None
    if not isinstance(places, dict) or not all(map(_is_beside, places.values())):
        raise CheckpointError(
            f"checkpoint metadata must be an index of tensors in files beside it, got {path}. "
            "It is damaged or not to be trusted: choose another checkpoint."
        )
    return index


def _is_beside(place: object) -> bool:
    """Whether a place is one of a file in the checkpoint's own folder, not `../../elsewhere`."""
    name = getattr(place, "relative_path", None)
    return isinstance(place, _StorageInfo) and isinstance(name, str) and Path(name).name == name


def check_pickle(path: Path) -> Any:
    """Load the pickle at `path`; `CheckpointError` where it names more than an index needs."""
    try:
        with path.open("rb") as file:
            return _KnownClasses(file).load()
    except FileNotFoundError as error:
        raise CheckpointError(
            f"checkpoint must contain {path.name}, got {path.parent} without it. "
            "It is incomplete: choose another checkpoint."
        ) from error
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise CheckpointError(
            f"checkpoint metadata must be an index of tensors and nothing else, got {path}: "
            f"{error}. It is damaged or not to be trusted: choose another checkpoint."
        ) from error

"""Parquet files as records, row group by row group; pyarrow is an extra."""

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.files import unreadable

_MAGIC = b"PAR1"
_ROWS_AT_ONCE = 1000


def is_parquet(path: Path) -> bool:
    """Told by the first bytes, not by the name."""
    try:
        with path.open("rb") as file:
            return file.read(4) == _MAGIC
    except OSError as error:
        raise unreadable(path, error) from error


def row_group_bytes(path: Path) -> list[int]:
    """Unpacked size of each row group."""
    metadata = _open(path).metadata
    return [metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)]


def read_row_group(path: Path, group: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (row number in the file, row); columns without a value are left out of the row."""
    import pyarrow  # found by whoever made the block

    file = _open(path)
    number = sum(file.metadata.row_group(i).num_rows for i in range(group))
    try:
        for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, row_groups=[group]):
            for row in batch.to_pylist():
                yield number, {key: value for key, value in row.items() if value is not None}
                number += 1
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:  # damaged pages
        raise _damaged(path, error) from error


def read_columns(path: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield every row of the file with these columns only; None where a row has no value.

    Raises `DataError` where the file lacks one of them.
    """
    file = _open(path)
    import pyarrow  # without it `_open` has refused

    missing = [column for column in columns if column not in file.schema_arrow.names]
    if missing:
        raise DataError(
            f"Parquet file must have columns {', '.join(columns)}, got "
            f"{', '.join(file.schema_arrow.names)} in {path}. Name the columns it has."
        )
    try:
        # Group by group: a reader of many keeps what it has read of the whole file.
        for group in range(file.metadata.num_row_groups):
            for batch in file.iter_batches(
                batch_size=_ROWS_AT_ONCE, row_groups=[group], columns=list(columns)
            ):
                yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:  # damaged pages
        raise _damaged(path, error) from error


def num_rows(path: Path) -> int:
    """Rows of the file, as its end says."""
    rows: int = _open(path).metadata.num_rows
    return rows


def _open(path: Path) -> Any:
    if importlib.util.find_spec("pyarrow") is None:
        raise ConfigError(
            f"input must be in a format that can be read here, got Parquet in {path} without "
            "pyarrow. Install it: pip install pyarrow."
        )
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"Parquet file must be whole, got {path}: {error}. "
        "It was cut off or damaged: download it again."
    )

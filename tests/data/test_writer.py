"""The order in which the files of a data set appear."""

from pathlib import Path

import numpy as np
import pytest

from megatron_crossic.data.spans import SPAN_DTYPE, Role
from megatron_crossic.data.store import open_windows
from megatron_crossic.data.windows import WindowLayout, Windows
from megatron_crossic.data.writer import PartialFilesDiffer, WindowWriter
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.files import PARTIAL_SUFFIX
from megatron_crossic.manifest import Manifest

LAYOUT = WindowLayout(seq_length=9, bos_id=None, split_id=1, pad_id=1, dtype=np.dtype(np.uint16))
SPANS = np.array([(0, 9, 0, 0, 0, Role.SOURCE)], dtype=SPAN_DTYPE)
DETAILS = {
    "seq_length": 9,
    "vocab_size": 99,
    "languages": ["en", "es"],
    "tokenizer": {"fingerprint": "f"},
}


def window(token: int) -> Windows:
    return Windows(tokens=np.full((1, 9), token, dtype=np.uint16), spans=SPANS)


def write(prefix: Path, *, num_windows: int, commit: bool = True) -> None:
    with WindowWriter(prefix, layout=LAYOUT, overwrite=True) as writer:
        writer.add_pairs(b"{}\n", num_pairs=1)
        for i in range(num_windows):
            writer.add_windows(window(i))
        files = writer.close_files()
        counts = {"windows": num_windows}
        manifest = Manifest(kind="windows", options={}, counts=counts, files=files, details=DETAILS)
        if commit:
            writer.commit(manifest)


def test_a_data_set_opens_when_it_is_committed(tmp_path: Path) -> None:
    write(tmp_path / "x", num_windows=3)
    store = open_windows(tmp_path / "x", deep=True)
    assert [int(store.tokens(i)[0]) for i in range(len(store))] == [0, 1, 2]
    assert not list(tmp_path.glob(f"*{PARTIAL_SUFFIX}"))


def test_new_files_never_stand_beside_an_old_manifest(tmp_path: Path) -> None:
    """What a kill between closing the files and writing the manifest leaves behind."""
    write(tmp_path / "x", num_windows=3)
    write(tmp_path / "x", num_windows=3, commit=False)
    with pytest.raises(DataError, match="windows manifest must exist"):
        open_windows(tmp_path / "x")


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("disk gone")])
def test_an_error_leaves_no_file(tmp_path: Path, error: BaseException) -> None:
    with (
        pytest.raises((KeyboardInterrupt, DataError), match="|disk gone"),
        WindowWriter(tmp_path / "x", layout=LAYOUT),
    ):
        raise error
    assert not list(tmp_path.iterdir())


def test_what_a_killed_run_left_is_replaced(tmp_path: Path) -> None:
    write(tmp_path / "x", num_windows=3, commit=False)
    assert (tmp_path / "x.bin").exists()
    with WindowWriter(tmp_path / "x", layout=LAYOUT):
        pass


def test_files_of_others_are_not(tmp_path: Path) -> None:
    (tmp_path / "x.idx").write_text("made by another tool")
    with pytest.raises(ConfigError, match=r"output path must not exist, got .*x\.idx"):
        WindowWriter(tmp_path / "x", layout=LAYOUT)


def test_a_run_goes_on_behind_what_was_written(tmp_path: Path) -> None:
    """Killed with more in the files than the state says: the rest is cut off."""
    write(tmp_path / "whole", num_windows=3)
    first = WindowWriter(tmp_path / "x", layout=LAYOUT)
    first.add_pairs(b"{}\n", num_pairs=1)
    first.add_windows(window(0))
    first.flush()
    state = first.state()
    first.add_windows(window(7))
    first.flush()
    with WindowWriter(tmp_path / "x", layout=LAYOUT, resume_from=state) as writer:
        for i in (1, 2):
            writer.add_windows(window(i))
        assert [w.tokens[:, 0].tolist() for w in writer.written()] == [[0, 1, 2]]
        writer.close_files()
    for suffix in (".bin", ".idx", ".spans", ".pairs.jsonl"):
        expected = (tmp_path / f"whole{suffix}").read_bytes()
        assert (tmp_path / f"x{suffix}").read_bytes() == expected


@pytest.mark.parametrize("damage", ["shorter", "changed"])
def test_damaged_partial_files_are_not_gone_on_with(tmp_path: Path, damage: str) -> None:
    first = WindowWriter(tmp_path / "x", layout=LAYOUT)
    first.add_windows(window(5))
    first.flush()
    partial = tmp_path / f"x.bin{PARTIAL_SUFFIX}"
    content = partial.read_bytes()
    partial.write_bytes(content[:-1] if damage == "shorter" else b"\0" + content[1:])
    with pytest.raises(PartialFilesDiffer):
        WindowWriter(tmp_path / "x", layout=LAYOUT, resume_from=first.state())


def test_partial_files_stay_where_there_is_something_to_go_on_with(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), WindowWriter(tmp_path / "x", layout=LAYOUT) as writer:
        writer.keep_partial = True
        raise KeyboardInterrupt
    assert len(list(tmp_path.glob(f"*{PARTIAL_SUFFIX}"))) == 4

"""Inputs that change, memory that runs out, interruptions: an error and a way to go on."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_pairs import make_pair, write_byte_tokenizer, write_pairs

from megatron_crossic.data import pipeline
from megatron_crossic.data.bulk import Ragged
from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.pipeline import preprocess
from megatron_crossic.data.run import Listener, Progress
from megatron_crossic.data.store import open_windows
from megatron_crossic.errors import DataError

PAIRS = [make_pair(f"p{i}", "Text. " * (i + 1), "Texto. " * (i + 1)) for i in range(4)]


@pytest.fixture
def options(tmp_path: Path) -> PreprocessOptions:
    return PreprocessOptions(
        pairs=(write_pairs(tmp_path / "pairs.jsonl", PAIRS),),
        tokenizer=write_byte_tokenizer(tmp_path / "tokenizer"),
        output_prefix=tmp_path / "data" / "en-es",
        seq_length=64,
    )


def test_an_input_cut_off_during_the_run_is_noticed(
    options: PreprocessOptions, tmp_path: Path
) -> None:
    """At the end of a line, where what is left reads like a whole file."""
    first = [make_pair(f"a{i}", "Text. " * 400, "Texto. " * 400) for i in range(900)]
    second = write_pairs(tmp_path / "b.jsonl", [make_pair(f"b{i}", "x", "y") for i in range(9)])
    size = second.stat().st_size
    chosen = replace(
        options,
        pairs=(write_pairs(tmp_path / "a.jsonl", first), second),
        segment_bytes=4 << 20,
    )

    def cut_off(_: Progress) -> None:
        os.truncate(second, size // 9)

    with pytest.raises(DataError, match=rf"must stay as it is .*b\.jsonl of first {size}, then"):
        preprocess(chosen, Listener(on_progress=cut_off))
    with pytest.raises(DataError, match="windows manifest must exist"):
        open_windows(options.output_prefix)
    preprocess(chosen)  # a journal of other inputs is not gone on with
    assert open_windows(options.output_prefix, deep=True).manifest.counts["pairs_read"] == 901


def test_what_the_journal_describes_is_there_to_go_on_with(options: PreprocessOptions) -> None:
    """Interrupted as soon as the first segment is in the journal."""

    def interrupt(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        preprocess(options, Listener(on_progress=interrupt))
    warnings: list[str] = []
    repeated: list[Progress] = []
    preprocess(options, Listener(on_progress=repeated.append, on_warning=warnings.append))
    assert (warnings, repeated) == ([], [])
    assert open_windows(options.output_prefix, deep=True).manifest.counts["pairs_read"] == 4


def test_progress_of_a_resumed_run_ends_at_its_end(
    options: PreprocessOptions, tmp_path: Path
) -> None:
    """Three segments: the second run has two of them to do."""
    pairs = [make_pair(f"a{i}", "Text. " * 400, "Texto. " * 400) for i in range(2000)]
    path = write_pairs(tmp_path / "a.jsonl", pairs)
    chosen = replace(options, pairs=(path,), segment_bytes=4 << 20)
    seen: list[Progress] = []

    def interrupt(progress: Progress) -> None:
        seen.append(progress)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        preprocess(chosen, Listener(on_progress=interrupt))
    preprocess(chosen, Listener(on_progress=seen.append))
    segment, size = 4 << 20, path.stat().st_size
    assert [each.done_bytes for each in seen] == [segment, segment, size - segment]
    assert [each.total_bytes for each in seen] == [size, size - segment, size - segment]


class Hungry:
    """An encoder that asks for more memory than there is anywhere."""

    name = "hungry 1"

    def encode(self, texts: Sequence[str]) -> Ragged:
        ids = np.empty(1 << 50, dtype=np.int32)
        return Ragged(ids=ids, offsets=np.zeros(len(texts) + 1, dtype=np.int64))


@pytest.mark.parametrize("workers", [1, 2])
def test_memory_that_runs_out_is_an_error(
    options: PreprocessOptions, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(pipeline, "make_encoder", lambda *_: Hungry())
    with pytest.raises(DataError, match=rf"memory must suffice for {workers} workers .*Unable to"):
        preprocess(replace(options, workers=workers))
    assert not list(options.output_prefix.parent.iterdir())

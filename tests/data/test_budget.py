"""As many tokens as another data set, in whole chunks."""

from dataclasses import replace
from pathlib import Path

import pytest
from small_pairs import make_pair, write_byte_tokenizer, write_pairs

from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.pipeline import preprocess
from megatron_crossic.data.run import Listener, Progress
from megatron_crossic.data.verify import verify_data_set

LARGEST = 62


@pytest.fixture
def options(tmp_path: Path) -> PreprocessOptions:
    pairs = [make_pair(f"p{i}", "Text. " * (i % 9 + 1), "Texto. " * (i % 7 + 1)) for i in range(40)]
    return PreprocessOptions(
        pairs=(write_pairs(tmp_path / "pairs.jsonl", pairs),),
        tokenizer=write_byte_tokenizer(tmp_path / "tokenizer"),
        output_prefix=tmp_path / "x",
        seq_length=64,
        assembly="best_fit",
    )


def wanted(options: PreprocessOptions, tmp_path: Path, *, num_pairs: int) -> int:
    """Make `other` with so many pairs; returns its tokens."""
    pairs = [make_pair(f"o{i}", "Other text. " * 3, "Otro texto. " * 3) for i in range(num_pairs)]
    path = write_pairs(tmp_path / "other.jsonl", pairs)
    report = preprocess(replace(options, pairs=(path,), output_prefix=tmp_path / "other"))
    return report.training.account.tokens_in_windows


@pytest.mark.parametrize("num_pairs", [1, 3, 20, 60, 400])
def test_the_budget_is_met_up_to_one_chunk(
    options: PreprocessOptions, tmp_path: Path, num_pairs: int
) -> None:
    """Below what there is, above it, and many times as much."""
    budget = wanted(options, tmp_path, num_pairs=num_pairs)
    account = preprocess(replace(options, match_tokens=tmp_path / "other")).training.account
    assert 0 <= budget - account.tokens_in_windows < LARGEST
    verify_data_set(options.output_prefix)
    if account.tokens_repeated:
        assert account.tokens_in_windows - account.tokens_repeated == account.tokens_read
        assert not account.tokens_dropped
    else:
        assert account.tokens_dropped["over_budget"] > 0
    assert bool(account.tokens_repeated) == (budget > account.tokens_read)


def test_a_data_set_matches_itself(options: PreprocessOptions, tmp_path: Path) -> None:
    preprocess(options)
    again = replace(options, output_prefix=tmp_path / "y", match_tokens=options.output_prefix)
    preprocess(again)
    for suffix in (".bin", ".spans"):
        one, other = (Path(f"{prefix}{suffix}") for prefix in (tmp_path / "x", tmp_path / "y"))
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(("other_pairs", "segments_needed"), [(12, 2), (20, 2), (24, 3)])
def test_a_run_stopped_with_its_budget_spent_ends_as_any_other(
    options: PreprocessOptions, tmp_path: Path, other_pairs: int, segments_needed: int
) -> None:
    """Ten pairs in each of three segments; twenty pairs are exactly two of them."""
    fillers = [
        replace(make_pair(f"f{i}", "", ""), provenance={"note": "x" * (5 << 20)}) for i in range(3)
    ]
    pairs = [make_pair(f"p{i}", "Text. " * (i % 9 + 1), "Texto. " * (i % 7 + 1)) for i in range(30)]
    parts = [[*pairs[i * 10 : i * 10 + 10], fillers[i]] for i in range(3)]
    chosen = replace(
        options,
        pairs=(write_pairs(tmp_path / "parts.jsonl", [pair for part in parts for pair in part]),),
        segment_bytes=4 << 20,
        match_tokens=tmp_path / "other",
    )
    other = write_pairs(tmp_path / "other.jsonl", pairs[:other_pairs])
    preprocess(replace(options, pairs=(other,), output_prefix=tmp_path / "other"))
    seen: list[Progress] = []
    preprocess(chosen, Listener(on_progress=seen.append))
    assert len(seen) == segments_needed

    def stop(progress: Progress) -> None:
        if progress.done_bytes == seen[-1].done_bytes:
            raise KeyboardInterrupt

    stopped = replace(chosen, output_prefix=tmp_path / "y")
    with pytest.raises(KeyboardInterrupt):
        preprocess(stopped, Listener(on_progress=stop))
    preprocess(stopped)
    for suffix in (".bin", ".spans", ".pairs.jsonl"):
        one, two = (Path(f"{prefix}{suffix}") for prefix in (tmp_path / "x", tmp_path / "y"))
        assert one.read_bytes() == two.read_bytes()
    verify_data_set(tmp_path / "y")

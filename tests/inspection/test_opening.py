"""Which windows and which tokenizer."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspected_windows import hostile_data_set
from small_pairs import write_byte_tokenizer

from megatron_crossic.errors import ConfigError
from megatron_crossic.inspection.opening import choose_windows, open_tokenizer


@given(num=st.integers(1, 200), sample=st.integers(1, 300), seed=st.integers(0, 9))
def test_a_sample_is_distinct_ordered_and_the_same_again(num: int, sample: int, seed: int) -> None:
    chosen = choose_windows(num, sample=sample, seed=seed)
    assert chosen == sorted(set(chosen)) == choose_windows(num, sample=sample, seed=seed)
    assert len(chosen) == min(num, sample)
    assert set(chosen) <= set(range(num))


def test_seeds_differ() -> None:
    assert len({choose_windows(10**9, seed=seed)[0] for seed in range(20)}) == 20


def test_one_window_by_its_number() -> None:
    assert [choose_windows(3, window=n) for n in range(3)] == [[0], [1], [2]]


@pytest.mark.parametrize("window", [-1, 3])
def test_there_is_no_such_window(window: int) -> None:
    with pytest.raises(ConfigError, match=f"--window must be from 0 to 2, got {window}. Windows"):
        choose_windows(3, window=window)


@pytest.mark.parametrize("sample", [0, -5])
def test_a_sample_has_at_least_one(sample: int) -> None:
    with pytest.raises(ConfigError, match=f"--sample must be at least 1, got {sample}. Use"):
        choose_windows(3, sample=sample)


def test_the_tokenizer_is_where_it_was_or_where_one_says(tmp_path: Path) -> None:
    store, tokenizer = hostile_data_set(tmp_path)
    assert open_tokenizer(store).fingerprint == tokenizer.fingerprint
    (tmp_path / "tokenizer").rename(tmp_path / "moved")
    with pytest.raises(ConfigError, match="tokenizer must exist, got nothing at .*--tokenizer"):
        open_tokenizer(store)
    assert open_tokenizer(store, tmp_path / "moved").fingerprint == tokenizer.fingerprint


def test_another_tokenizer_is_refused(tmp_path: Path) -> None:
    store, _ = hostile_data_set(tmp_path)
    path = write_byte_tokenizer(tmp_path / "other") / "tokenizer.json"
    spec = json.loads(path.read_text(encoding="utf-8"))
    spec["added_tokens"][1]["content"] = "<|another|>"
    path.write_text(json.dumps(spec), encoding="utf-8")
    with pytest.raises(ConfigError, match="tokenizer must be the one .* was made with .*, got "):
        open_tokenizer(store, tmp_path / "other")

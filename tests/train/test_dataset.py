"""Several data sets as one, and sets that do not go together."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_runs import write_windows

from megatron_crossic.config import DataConfig
from megatron_crossic.data.spans import Role
from megatron_crossic.data.store import open_windows
from megatron_crossic.errors import DataError
from megatron_crossic.train.dataset import open_data


def test_windows_follow_each_other_in_the_order_given(tmp_path: Path) -> None:
    prefixes = [
        write_windows(tmp_path / name, num_windows=n, seed=n) for name, n in (("a", 3), ("b", 2))
    ]
    data = open_data(DataConfig(train=tuple(prefixes)))
    stored = [store.tokens(i) for store in map(open_windows, prefixes) for i in range(len(store))]
    assert len(data.train) == len(stored) == 5
    for index, tokens in enumerate(stored):
        assert np.array_equal(data.train[index].tokens, tokens)
    assert len(data.validation) == 0
    assert data.seq_length == 16


def test_languages_are_numbered_through_all_data_sets(tmp_path: Path) -> None:
    train = write_windows(tmp_path / "a", num_windows=1, languages=("en", "ja"))
    validation = write_windows(tmp_path / "b", num_windows=1, languages=("es", "en"))
    data = open_data(DataConfig(train=(train,), validation=(validation,)))
    assert data.languages == ("en", "es", "ja")
    for windows, source, target in ((data.train, "en", "ja"), (data.validation, "es", "en")):
        window = windows[0]
        named = dict(zip(window.roles.tolist(), window.languages.tolist(), strict=True))
        assert named[Role.SOURCE] == data.languages.index(source)
        assert named[Role.TARGET] == data.languages.index(target)
        assert named[Role.PAD] == len(data.languages)


def test_the_fingerprint_knows_content_and_order(tmp_path: Path) -> None:
    a, b = (write_windows(tmp_path / name, num_windows=2, seed=i) for i, name in enumerate("ab"))
    copy = write_windows(tmp_path / "copy", num_windows=2, seed=0)
    prints = [
        open_data(DataConfig(train=train)).train.fingerprint()
        for train in ((a,), (copy,), (b,), (a, b), (b, a))
    ]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 4


def test_windows_are_counted_by_data_set(tmp_path: Path) -> None:
    sizes = {"a": 3, "b": 2}
    prefixes = [write_windows(tmp_path / name, num_windows=n) for name, n in sizes.items()]
    train = open_data(DataConfig(train=tuple(prefixes))).train
    assert dict(zip(train.names, train.sizes, strict=True)) == sizes
    assert train.count_by_set(np.array([0, 2, 3, 4, 4])) == {"a": 2, "b": 3}
    assert train.count_by_set(np.array([1])) == {"a": 1, "b": 0}


def test_data_sets_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
    prefixes = [write_windows(tmp_path / f / "train", num_windows=1) for f in ("x", "y")]
    train = open_data(DataConfig(train=tuple(prefixes))).train
    assert train.names == tuple(map(str, prefixes))


def test_sets_to_be_watched_stay_apart(tmp_path: Path) -> None:
    """Also where their names are alike; their languages are numbered with all others."""
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
    train = write_windows(tmp_path / "train", num_windows=1)
    sets = [
        write_windows(tmp_path / folder / "wiki", num_windows=size, languages=("de", "en"))
        for folder, size in (("x", 2), ("y", 3))
    ]
    data = open_data(DataConfig(train=(train,), retention=tuple(sets)))
    assert {name: len(windows) for name, windows in data.retention.items()} == {
        str(sets[0]): 2,
        str(sets[1]): 3,
    }
    assert data.languages == ("de", "en", "es")
    assert len(data.validation) == 0
    alone = open_data(DataConfig(train=(train,), retention=(sets[0],)))
    assert list(alone.retention) == ["wiki"]


@pytest.mark.parametrize("role", ["validation", "retention"])
@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"seq_length": 20}, r"must agree in seq_length, got 16 in .*a and 20 in .*b"),
        ({"vocab_size": 90}, "must agree in vocab_size, got 100 in .*a and 90 in .*b"),
        ({"fingerprint": "x"}, "must agree in tokenizer_fingerprint, got tokenizer in .*a and x"),
    ],
)
def test_sets_that_do_not_go_together_are_refused(
    tmp_path: Path, other: dict[str, object], message: str, role: str
) -> None:
    first = write_windows(tmp_path / "a", num_windows=1)
    second = write_windows(tmp_path / "b", **{"num_windows": 1, **other})  # type: ignore[arg-type]
    with pytest.raises(DataError, match=message):
        open_data(replace(DataConfig(train=(first,)), **{role: (second,)}))

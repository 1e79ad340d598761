"""Shards put together are the run that was not cut into shards."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from small_pairs import make_pair, write_byte_tokenizer, write_pairs
from small_windows import counted_windows

from megatron_crossic.data import options as options_module
from megatron_crossic.data.merge import MergeOptions, merge_shards
from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.pipeline import preprocess
from megatron_crossic.data.store import open_windows
from megatron_crossic.data.verify import verify_data_set
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.manifest import manifest_path

SEGMENT = 1024


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`whole` and its three shards, with held-out pairs; languages come in different orders."""
    folder = tmp_path_factory.mktemp("made")
    pairs = [
        make_pair(
            f"p{i}", "Text. " * (i % 7 + 1), "x " * 9, languages=f"en {'ja' if i > 20 else 'es'}"
        )
        for i in range(60)
    ]
    options = PreprocessOptions(
        pairs=(write_pairs(folder / "pairs.jsonl", pairs),),
        tokenizer=write_byte_tokenizer(folder / "tokenizer"),
        output_prefix=folder / "x",
        seq_length=64,
        validation_fraction=0.2,
        assembly="best_fit",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(options_module, "BLOCK_BYTES", SEGMENT)
        options = replace(options, segment_bytes=SEGMENT)
        preprocess(replace(options, output_prefix=folder / "whole"))
        for index in range(3):
            preprocess(replace(options, shard=(index, 3)))
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.parametrize("suffix", ["", "-validation"])
def test_merged_shards_are_the_whole(folder: Path, suffix: str) -> None:
    merged = merge_shards(MergeOptions(output_prefix=folder / f"x{suffix}", num_shards=3))
    verify_data_set(folder / f"x{suffix}")
    one, other = open_windows(folder / f"x{suffix}"), open_windows(folder / f"whole{suffix}")
    assert counted_windows(one) == counted_windows(other)
    assert len(one) > 3
    whole = other.manifest
    assert {**merged.counts} == {**whole.counts}
    assert (merged.drops, merged.inputs) == (whole.drops, whole.inputs)
    by_language = [each.details["tokens_by_language"] for each in (merged, whole)]
    assert by_language[0] == by_language[1]
    assert merged.details["fill_rate"] == whole.details["fill_rate"]
    assert merged.options["shard"] is None


def test_a_shard_without_windows_is_merged(made: Path, tmp_path: Path) -> None:
    """Three shards of one segment: two are empty."""
    options = PreprocessOptions(
        pairs=(write_pairs(tmp_path / "p.jsonl", [make_pair("p", "Text.", "Texto.")]),),
        tokenizer=made / "tokenizer",
        output_prefix=tmp_path / "x",
        seq_length=64,
    )
    for index in range(3):
        report = preprocess(replace(options, shard=(index, 3)))
        assert report.training.account.windows == (index == 0)
    merge_shards(MergeOptions(output_prefix=tmp_path / "x", num_shards=3))
    assert len(open_windows(tmp_path / "x", deep=True)) == 1


def test_a_merged_set_can_match_another(folder: Path) -> None:
    options = MergeOptions(
        output_prefix=folder / "x", num_shards=3, match_tokens=folder / "whole-validation"
    )
    wanted = open_windows(folder / "whole-validation").manifest.counts["tokens_in_windows"]
    merged = merge_shards(options)
    assert 0 <= wanted - merged.counts["tokens_in_windows"] < 64
    assert merged.counts["tokens_dropped"]["over_budget"] > 0
    verify_data_set(folder / "x")


def test_an_existing_data_set_is_left_alone(folder: Path) -> None:
    options = MergeOptions(output_prefix=folder / "x", num_shards=3)
    merge_shards(options)
    with pytest.raises(ConfigError, match="output path must not exist"):
        merge_shards(options)
    merge_shards(replace(options, overwrite=True))


def test_a_merge_goes_on_where_one_was_killed(folder: Path) -> None:
    """Files that got their names, and a manifest that did not."""
    options = MergeOptions(output_prefix=folder / "x", num_shards=3)
    merge_shards(options)
    path = manifest_path(folder / "x")
    path.rename(path.with_name(f"{path.name}.partial"))
    merge_shards(options)
    verify_data_set(folder / "x")


def shard(folder: Path, index: int) -> Path:
    return folder / f"x-0000{index}-of-00003"


def refused(folder: Path, message: str) -> None:
    with pytest.raises(DataError, match=message):
        merge_shards(MergeOptions(output_prefix=folder / "x", num_shards=3))
    assert not manifest_path(folder / "x").exists()
    assert not list(folder.glob("x.*"))


def test_a_missing_shard_is_named(folder: Path) -> None:
    manifest_path(shard(folder, 1)).unlink()
    refused(folder, r"windows manifest must exist, got nothing at .*x-00001-of-00003")


def test_a_shard_given_twice_is_named(folder: Path) -> None:
    for path in folder.glob("x-00000-of-00003.*"):
        content = path.read_bytes().replace(b"x-00000-of", b"x-00001-of")
        path.with_name(path.name.replace("x-00000-of", "x-00001-of")).write_bytes(content)
    refused(folder, r"x-00001-of-00003 must be shard 1/3, got \[0, 3\] in its manifest")


@pytest.mark.parametrize(
    ("path", "value", "thing"),
    [
        (("options", "seq_length"), 32, "options"),
        (("details", "tokenizer", "split_id"), 9, "tokenizer"),
        (("inputs",), [], "inputs"),
        (("code_version",), "9", "code version"),
    ],
)
def test_shards_of_another_run_are_refused(
    folder: Path, path: tuple[str, ...], value: object, thing: str
) -> None:
    manifest = manifest_path(shard(folder, 2))
    values = json.loads(manifest.read_text(encoding="utf-8"))
    *outer, last = path
    place = values
    for key in outer:
        place = place[key]
    place[last] = value
    manifest.write_text(json.dumps(values), encoding="utf-8")
    refused(folder, f"shards must have the same {thing}, got")


@pytest.mark.parametrize("suffix", [".bin", ".spans", ".pairs.jsonl"])
def test_a_damaged_shard_is_found(folder: Path, suffix: str) -> None:
    path = Path(f"{shard(folder, 1)}{suffix}")
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)
    refused(folder, "must have the content its manifest says")

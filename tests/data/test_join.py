"""Pair files with common sources become records of many languages."""

from dataclasses import replace
from pathlib import Path

import pytest
from small_pairs import make_pair, write_byte_tokenizer, write_pairs

from megatron_crossic.data.join import JoinOptions, Require, join_pairs
from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.pairs import read_pairs
from megatron_crossic.data.pipeline import preprocess
from megatron_crossic.data.records import Pair
from megatron_crossic.data.verify import verify_data_set
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.manifest import manifest_path

SPANISH = [make_pair(name, f"About {name}.", f"Sobre {name}.") for name in ("sun", "moon", "star")]
JAPANESE = [
    make_pair(name, f"About {name}.", f"{name}。", languages="en ja")
    for name in ("star", "sun", "rain")
]


@pytest.fixture
def options(tmp_path: Path) -> JoinOptions:
    files = (
        write_pairs(tmp_path / "es.jsonl", SPANISH),
        write_pairs(tmp_path / "ja.jsonl", JAPANESE),
    )
    return JoinOptions(pairs=files, output=tmp_path / "joined.jsonl")


def targets(path: Path) -> dict[str, list[str]]:
    return {pair.id: [document.text for document in pair.targets] for pair in read_pairs(path)}


def test_sources_of_all_files_in_the_order_of_the_first(options: JoinOptions) -> None:
    manifest = join_pairs(options)
    assert targets(options.output) == {
        "sun": ["Sobre sun.", "sun。"],
        "star": ["Sobre star.", "star。"],
    }
    assert list(targets(options.output)) == ["sun", "star"]
    assert manifest.counts == {"pairs_read": 3, "pairs": 2, "differing_sources": 0}
    assert manifest.drops == {
        "no_target_in_ja.jsonl": 1,
        "source_not_joined_in_ja.jsonl": 1,  # rain
    }
    (first, _) = read_pairs(options.output)
    assert [each["id"] for each in first.provenance["joined"]] == ["sun", "sun"]


def test_any_other_target_is_enough_where_asked_for(options: JoinOptions, tmp_path: Path) -> None:
    korean = [make_pair("moon", "About moon.", "달", languages="en ko")]
    files = (*options.pairs, write_pairs(tmp_path / "ko.jsonl", korean))
    join_pairs(replace(options, pairs=files, require="any"))
    assert [len(found) for found in targets(options.output).values()] == [2, 2, 2]


def test_repeated_and_differing_sources_are_counted(options: JoinOptions) -> None:
    changed = make_pair("sun", "Another text.", "太陽", languages="en ja")
    write_pairs(options.pairs[1], [changed, *JAPANESE])
    write_pairs(options.pairs[0], [*SPANISH, SPANISH[0]])
    manifest = join_pairs(options)
    assert targets(options.output)["sun"] == ["Sobre sun.", "太陽"]
    assert manifest.counts["differing_sources"] == 1
    assert manifest.drops["repeated_source_in_ja.jsonl"] == 1
    assert manifest.drops["repeated_source_in_es.jsonl"] == 1


def test_ids_of_sources_go_before_titles(options: JoinOptions) -> None:
    def numbered(number: str, title: str, languages: str) -> Pair:
        pair = make_pair(title, "x", "y", languages=languages)
        return replace(pair, source=replace(pair.source, id=number))

    write_pairs(options.pairs[0], [numbered("7", "old title", "en es")])
    write_pairs(
        options.pairs[1],
        [numbered(n, t, "en ja") for n, t in (("7", "new title"), ("8", "old title"))],
    )
    join_pairs(options)
    assert list(targets(options.output)) == ["old title"]


def test_sources_that_nothing_names_are_not_the_same(options: JoinOptions) -> None:
    for path, pairs in zip(options.pairs, (SPANISH, JAPANESE), strict=True):
        nameless = [replace(p, source=replace(p.source, title=" ")) for p in pairs[:2]]
        write_pairs(path, [*nameless, *pairs])
    manifest = join_pairs(options)
    assert [len(found) for found in targets(options.output).values()] == [2, 2]
    assert manifest.counts["differing_sources"] == 0
    assert manifest.drops["no_id_or_title_in_es.jsonl"] == 2
    assert manifest.drops["no_id_or_title_in_ja.jsonl"] == 2


@pytest.mark.parametrize("require", ["all", "any"])
def test_every_record_is_joined_or_under_a_reason(
    options: JoinOptions, tmp_path: Path, require: Require
) -> None:
    korean = [make_pair(name, "x", "달", languages="en ko") for name in ("moon", "sun", "sun", "")]
    files = (*options.pairs, write_pairs(tmp_path / "ko.jsonl", korean))
    manifest = join_pairs(replace(options, pairs=files, require=require))
    written = sum(map(len, targets(options.output).values()))
    assert written + sum(manifest.drops.values()) == len([*SPANISH, *JAPANESE, *korean])
    assert written > 2


def test_two_targets_of_one_language_are_refused(options: JoinOptions) -> None:
    write_pairs(options.pairs[1], SPANISH)
    with pytest.raises(DataError, match="must be in different languages, got es es for 'sun'"):
        join_pairs(options)
    assert not options.output.exists()


def test_a_run_killed_before_its_manifest_is_simply_run_again(options: JoinOptions) -> None:
    join_pairs(options)
    with pytest.raises(ConfigError, match="output path must not exist"):
        join_pairs(options)
    manifest_path(options.output).replace(f"{manifest_path(options.output)}.partial")
    assert join_pairs(options).counts["pairs"] == 2


def test_nothing_in_common_is_refused(options: JoinOptions) -> None:
    write_pairs(options.pairs[1], [make_pair("else", "x", "y")])
    with pytest.raises(DataError, match="must have sources in common, got 3 in the first"):
        join_pairs(options)
    assert not options.output.exists()


def test_one_file_is_not_enough(options: JoinOptions) -> None:
    with pytest.raises(ConfigError, match="pairs must name at least two files, got 1"):
        replace(options, pairs=options.pairs[:1])


@pytest.mark.parametrize("mode", ["crossic", "reversed", "mix", "target_only", "random_pair"])
def test_windows_have_three_languages(options: JoinOptions, tmp_path: Path, mode: str) -> None:
    join_pairs(options)
    report = preprocess(
        PreprocessOptions(
            pairs=(options.output,),
            tokenizer=write_byte_tokenizer(tmp_path / "tokenizer"),
            output_prefix=tmp_path / "x",
            seq_length=128,
            mode=mode,
        )
    )
    verify_data_set(tmp_path / "x")
    expected = {"es", "ja"} if mode == "target_only" else {"en", "es", "ja"}
    assert set(report.training.languages) == expected

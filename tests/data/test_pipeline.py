"""From pair files to data sets: every token accounted for, whole or not at all."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_pairs import make_pair, write_byte_tokenizer, write_pairs

from megatron_crossic.data.modes import MODES
from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.pipeline import preprocess
from megatron_crossic.data.run import Listener, Progress
from megatron_crossic.data.spans import Role
from megatron_crossic.data.store import WindowStore, open_windows
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.files import fingerprint_file
from megatron_crossic.manifest import manifest_path

PAIRS = [
    make_pair("one", "First. Text.\n\nMore of it.", "Primero. Texto.\n\nAún más."),
    make_pair("two", "Short.", "短い。", languages="en ja"),
    make_pair("three", "", "Sin fuente."),
    make_pair("four", "Long. " * 40, "Largo. " * 30),
]
PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=0x3100), max_size=80)


@pytest.fixture
def options(tmp_path: Path) -> PreprocessOptions:
    return PreprocessOptions(
        pairs=(write_pairs(tmp_path / "pairs.jsonl", PAIRS),),
        tokenizer=write_byte_tokenizer(tmp_path / "tokenizer"),
        output_prefix=tmp_path / "data" / "en-es",
        seq_length=64,
    )


def texts_by_pair(store: WindowStore, role: Role) -> dict[int, bytes]:
    """The text of one side of each pair, put together again from the windows."""
    found: dict[int, bytes] = {}
    for window in range(len(store)):
        tokens = store.tokens(window)
        for span in store.spans(window):
            if span["role"] == role:
                part = tokens[span["start"] : span["start"] + span["length"]]
                pair = int(span["pair"])
                found[pair] = found.get(pair, b"") + bytes(part.astype(np.uint8))
    return found


def test_the_windows_hold_the_texts(options: PreprocessOptions) -> None:
    preprocess(options)
    store = open_windows(options.output_prefix)
    kept = [PAIRS[0], PAIRS[1], PAIRS[3]]
    for role in (Role.SOURCE, Role.TARGET):
        documents = [pair.documents[role == Role.TARGET] for pair in kept]
        expected = [f"{d.title}\n\n{d.text.strip()}\n\n".encode() for d in documents]
        assert texts_by_pair(store, role) == dict(enumerate(expected))


def test_the_report_and_the_manifest(options: PreprocessOptions) -> None:
    report = preprocess(options).training
    manifest = open_windows(options.output_prefix).manifest
    assert manifest.counts == report.account.counts()
    assert manifest.drops == {"empty_source": 1}
    assert manifest.counts["tokens_dropped"] == {
        "empty_source": len("three\n\nTHREE\n\nSin fuente.\n\n")
    }
    assert (manifest.counts["pairs_read"], manifest.counts["pairs_kept"]) == (4, 3)
    details = manifest.details
    assert details["languages"] == report.languages == ["en", "es", "ja"]
    roles = details["tokens_by_role"]
    assert sum(roles.values()) == 64 * manifest.counts["windows"]
    assert details["fill_rate"] == 1 - roles["pad"] / sum(roles.values())
    assert sum(details["tokens_by_language"].values()) == roles["source"] + roles["target"]
    assert roles["split"] == manifest.counts["chunks"]
    assert manifest.inputs[0] == fingerprint_file(options.pairs[0])
    assert manifest.options["seq_length"] == 64


def test_provenance_has_one_line_for_each_pair_kept(options: PreprocessOptions) -> None:
    preprocess(options)
    store = open_windows(options.output_prefix)
    assert [store.provenance(i)["id"] for i in range(3)] == ["one", "two", "four"]
    assert store.provenance(1) == {
        "id": "two",
        "origin": "given",
        "score": None,
        "languages": ["en", "ja"],
        "titles": ["two", "TWO"],
        "provenance": {},
    }


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.tuples(PRINTABLE, PRINTABLE), min_size=1, max_size=5),
    assembly=st.sampled_from(["split_aware", "best_fit"]),
    mode=st.sampled_from(sorted(set(MODES) - {"documents"})),
    granularity=st.sampled_from(["chunk", "paragraph"]),
    rule=st.sampled_from(["truncate", "drop", "keep"]),
)
def test_every_token_is_in_a_window_or_under_a_reason(
    options: PreprocessOptions,
    texts: list[tuple[str, str]],
    assembly: str,
    mode: str,
    granularity: str,
    rule: str,
) -> None:
    pairs = [make_pair(f"p{i}", *both) for i, both in enumerate(texts)] + PAIRS[:1] + PAIRS[3:]
    write_pairs(options.pairs[0], pairs)
    chosen = replace(
        options,
        assembly=assembly,
        mode=mode,
        granularity=granularity,
        length_ratio_rule=rule,
        max_length_ratio=2.0,
    )
    account = preprocess(replace(chosen, overwrite=True)).training.account
    encoded = sum(
        len((paragraph + "\n\n").encode())
        for pair in pairs
        for document in pair.documents
        for paragraph in [document.title, *document.paragraphs()]
    )
    assert account.tokens_read == encoded
    assert account.tokens_in_windows + account.tokens_dropped.total() == encoded
    store = open_windows(options.output_prefix, deep=True)
    lengths = [int(store.spans(i)["length"].sum()) for i in range(len(store))]
    assert lengths == [64] * len(store)


def test_the_result_depends_on_inputs_and_options_only(
    options: PreprocessOptions, tmp_path: Path
) -> None:
    preprocess(options)
    again = replace(options, output_prefix=tmp_path / "again" / "en-es")
    preprocess(again)
    for suffix in (".bin", ".idx", ".spans", ".pairs.jsonl"):
        one, other = (Path(f"{o.output_prefix}{suffix}").read_bytes() for o in (options, again))
        assert one == other


def test_several_files_are_read_one_after_the_other(
    options: PreprocessOptions, tmp_path: Path
) -> None:
    files = [write_pairs(tmp_path / f"{i}.jsonl", [pair]) for i, pair in enumerate(PAIRS)]
    preprocess(options)
    preprocess(replace(options, pairs=tuple(files), output_prefix=tmp_path / "several"))
    for suffix in (".bin", ".pairs.jsonl"):
        together = Path(f"{options.output_prefix}{suffix}").read_bytes()
        assert (tmp_path / f"several{suffix}").read_bytes() == together


def test_the_validation_share_is_a_data_set_of_its_own(options: PreprocessOptions) -> None:
    pairs = [make_pair(f"title {i}", "Text.", "Texto.") for i in range(40)]
    write_pairs(options.pairs[0], pairs)
    report = preprocess(replace(options, validation_fraction=0.3))
    assert report.validation is not None
    stores = [open_windows(options.output_prefix), open_windows(report.validation.prefix)]
    ids = [
        [store.provenance(i)["id"] for i in range(store.manifest.counts["pairs_kept"])]
        for store in stores
    ]
    assert sorted(ids[0] + ids[1]) == sorted(pair.id for pair in pairs)
    assert len(ids[1]) > 3
    assert [store.manifest.details["held_out"] for store in stores] == [False, True]


def test_old_held_out_windows_do_not_stay_beside_a_new_training_set(
    options: PreprocessOptions,
) -> None:
    preprocess(replace(options, validation_fraction=0.3))
    with pytest.raises(ConfigError, match=r"--validation-fraction must stay above 0 .* got 0 with"):
        preprocess(replace(options, overwrite=True))
    preprocess(replace(options, overwrite=True, validation_fraction=0.5))


def test_an_empty_validation_share_is_refused(options: PreprocessOptions) -> None:
    with pytest.raises(DataError, match=r"validation data set must hold text.*Raise --validation"):
        preprocess(replace(options, validation_fraction=1e-9))
    assert leftovers(options) == []


def test_texts_that_are_all_empty_are_refused(options: PreprocessOptions) -> None:
    write_pairs(options.pairs[0], [make_pair("a", "", "x"), make_pair("b", "x", " \n\n ")])
    with pytest.raises(DataError, match=r"got 2 pairs, dropped: 1 empty_source, 1 empty_target"):
        preprocess(options)
    assert leftovers(options) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "x"', r"pairs\.jsonl, line 5 must be one JSON object"),
        ('{"id": "x", "source": 1}', "line 5: source must be an object"),
        (
            '{"id": "x", "source": {"lang": "eng", "title": "", "text": ""}}',
            r"line 5: source\.lang must be a two-letter ISO 639-1 language code, got 'eng'",
        ),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_left(
    options: PreprocessOptions, line: str, message: str
) -> None:
    with options.pairs[0].open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=message):
        preprocess(options)
    assert leftovers(options) == []


def test_a_missing_file_is_named(options: PreprocessOptions, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must be readable, got .*none\.jsonl"):
        preprocess(replace(options, pairs=(tmp_path / "none.jsonl",)))


def test_an_existing_data_set_is_left_alone(options: PreprocessOptions) -> None:
    preprocess(options)
    before = fingerprint_file(Path(f"{options.output_prefix}.bin"))
    with pytest.raises(ConfigError, match=r"output path must not exist, got .*en-es\.bin"):
        preprocess(replace(options, seq_length=32))
    assert fingerprint_file(Path(f"{options.output_prefix}.bin")) == before
    preprocess(replace(options, seq_length=32, overwrite=True))
    assert open_windows(options.output_prefix).seq_length == 32


def test_a_failing_overwrite_keeps_the_old_data_set(options: PreprocessOptions) -> None:
    preprocess(options)
    options.pairs[0].write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="line 1 must be one JSON object"):
        preprocess(replace(options, overwrite=True))
    assert len(open_windows(options.output_prefix, deep=True)) > 0


def test_a_run_killed_before_its_last_manifest_is_simply_run_again(
    options: PreprocessOptions,
) -> None:
    """Killed after the manifest of validation, while that of training was being written."""
    write_pairs(options.pairs[0], [make_pair(f"title {i}", "Text.", "Texto.") for i in range(40)])
    options = replace(options, validation_fraction=0.3)
    preprocess(options)
    manifest = manifest_path(options.output_prefix)
    expected = {path.name: path.read_bytes() for path in leftovers(options)}
    with pytest.raises(ConfigError, match="output path must not exist"):
        preprocess(options)
    manifest.replace(f"{manifest}.partial")
    preprocess(options)
    assert {path.name: path.read_bytes() for path in leftovers(options)} == expected


def test_a_pair_file_is_never_replaced(options: PreprocessOptions) -> None:
    pairs = write_pairs(options.output_prefix.parent.parent / "en-es.pairs.jsonl", PAIRS)
    chosen = replace(options, pairs=(pairs,), output_prefix=pairs.with_name("en-es"))
    with pytest.raises(ConfigError, match=r"must not replace an input, got .*en-es\.pairs\.jsonl"):
        preprocess(replace(chosen, overwrite=True))


def test_a_prefix_must_have_a_name(options: PreprocessOptions, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="output must be writable, got .*File name too long"):
        preprocess(replace(options, output_prefix=tmp_path / ("x" * 300)))
    with pytest.raises(ConfigError, match=r"path must end in a file name, got \."):
        preprocess(replace(options, output_prefix=Path(".")))


def test_progress_ends_where_the_input_ends(options: PreprocessOptions) -> None:
    seen: list[Progress] = []
    preprocess(options, Listener(on_progress=seen.append))
    size = options.pairs[0].stat().st_size
    assert [(progress.done_bytes, progress.total_bytes) for progress in seen] == [(size, size)]
    assert seen[0].windows > 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a full disk is tested where this user may mount a small tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("num_fillers", [0, 11, 12, 13, 14])
def test_a_full_disk_leaves_nothing_that_opens(
    options: PreprocessOptions, small_disk: Path, num_fillers: int
) -> None:
    """The disk is full while windows are written, or only when the last files are closed."""
    (small_disk / "filler").write_bytes(bytes(4096 * num_fillers))
    repeats = 100 if num_fillers == 0 else 3
    write_pairs(
        options.pairs[0], [make_pair(f"p{i}", "Text. " * 99, "x" * 594) for i in range(repeats)]
    )
    chosen = replace(options, output_prefix=small_disk / "x", validation_fraction=0.0)
    with pytest.raises(DataError, match="output must be writable, got .*No space left on device"):
        preprocess(chosen)
    assert [path.name for path in small_disk.iterdir()] == ["filler"]
    with pytest.raises(DataError, match="windows manifest must exist"):
        open_windows(chosen.output_prefix)


def leftovers(options: PreprocessOptions) -> list[Path]:
    return list(options.output_prefix.parent.glob("*"))

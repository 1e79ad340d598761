"""Corpora that are said to compare do, and a difference is found."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_pairs import make_pair, write_byte_tokenizer, write_pairs

from megatron_crossic.data.ablation import (
    PAIR_MODES,
    AblationOptions,
    ablation_table,
    check_budgets,
    check_corpora,
    make_ablation,
)
from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.text_digest import digest_texts
from megatron_crossic.data.verify import verify_data_set
from megatron_crossic.data.writer import data_set_files
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.manifest import manifest_path


@pytest.fixture
def options(tmp_path: Path) -> AblationOptions:
    pairs = [make_pair(f"p{i}", "Text. " * (i % 30), "Texto. " * (i % 20 + 1)) for i in range(25)]
    base = PreprocessOptions(
        pairs=(write_pairs(tmp_path / "pairs.jsonl", pairs),),
        tokenizer=write_byte_tokenizer(tmp_path / "tokenizer"),
        output_prefix=tmp_path / "unused",
        seq_length=64,
    )
    return AblationOptions(base=base, folder=tmp_path / "made")


@pytest.mark.parametrize("assembly", ["split_aware", "best_fit"])
def test_all_corpora_have_the_texts_and_tokens_of_crossic(
    options: AblationOptions, assembly: str
) -> None:
    options = replace(options, base=replace(options.base, assembly=assembly))
    made = {corpus.mode: corpus for corpus in make_ablation(options)}
    assert tuple(made) == PAIR_MODES
    first = made["crossic"]
    budget = first.manifest.counts["tokens_in_windows"]
    for mode, corpus in made.items():
        verify_data_set(options.folder / mode)
        assert 0 <= budget - corpus.manifest.counts["tokens_in_windows"] < 64
        for side in ("source", "target"):
            absent = mode == {"source": "target_only", "target": "source_only"}[side]
            wanted = (0, "") if absent else (first.texts.tokens[side], first.texts.digests[side])
            assert (corpus.texts.tokens[side], corpus.texts.digests[side]) == wanted
    assert made["source_only"].passes > 1 == first.passes
    values = json.loads((options.folder / "ablation.json").read_text(encoding="utf-8"))
    assert [value["mode"] for value in values] == list(PAIR_MODES)
    table = (options.folder / "ablation.md").read_text(encoding="utf-8")
    assert table == ablation_table(list(made.values()))
    assert table.count(first.texts.digests["source"][:12]) == 6


def test_without_matching_each_corpus_has_one_pass(options: AblationOptions) -> None:
    made = make_ablation(replace(options, match_tokens=False))
    assert {corpus.passes for corpus in made} == {1.0}


def test_documents_are_one_more_corpus(options: AblationOptions, tmp_path: Path) -> None:
    path = tmp_path / "documents.jsonl"
    path.write_text('{"text": "Replay."}\n' * 3, encoding="utf-8")
    base = replace(options.base, language="en")
    made = make_ablation(replace(options, base=base, documents=path, modes=("crossic",)))
    assert [corpus.mode for corpus in made] == ["crossic", "documents"]
    assert made[1].passes > 9


def test_a_second_run_leaves_what_is_complete(options: AblationOptions) -> None:
    """As after a kill between two corpora: only what is missing is made."""
    make_ablation(options)
    files = {mode: data_set_files(options.folder / mode)["bin"] for mode in PAIR_MODES}
    before = {mode: (path.read_bytes(), path.stat().st_mtime_ns) for mode, path in files.items()}
    manifest_path(options.folder / "mix").unlink()
    for path in data_set_files(options.folder / "mix").values():
        path.unlink()
    make_ablation(options)
    for mode, path in files.items():
        content, changed = before[mode]
        assert path.read_bytes() == content
        assert (path.stat().st_mtime_ns == changed) == (mode != "mix")


def test_other_options_are_refused(options: AblationOptions) -> None:
    make_ablation(replace(options, modes=("crossic",)))
    other = replace(options, base=replace(options.base, seq_length=96))
    with pytest.raises(ConfigError, match="must be made with the same options and inputs"):
        make_ablation(other)


@pytest.mark.parametrize("mode", ["reversed", "target_only"])
def test_a_changed_token_is_found(options: AblationOptions, mode: str) -> None:
    made = make_ablation(options)
    path = data_set_files(options.folder / mode)["bin"]
    tokens = np.fromfile(path, dtype=np.uint16)
    tokens[np.flatnonzero(tokens == ord("x"))[0]] = ord("y")
    tokens.tofile(path)
    with pytest.raises(DataError, match=f"{mode} must have the target texts of crossic, got"):
        make_ablation(options)
    check_corpora(made)


def change_tokens(path: Path, old: str, new: str) -> None:
    tokens = np.fromfile(path, dtype=np.uint16)
    assert (tokens == ord(old)).any()
    tokens[tokens == ord(old)] = ord(new)
    tokens.tofile(path)


def test_a_changed_token_of_validation_is_found(options: AblationOptions) -> None:
    base = replace(options.base, validation_fraction=0.4)
    options = replace(options, base=base, modes=("crossic", "mix"))
    make_ablation(options)
    change_tokens(data_set_files(options.folder / "mix-validation")["bin"], "x", "y")
    with pytest.raises(DataError, match="validation windows of mix must have the source texts"):
        make_ablation(options)


def test_pairs_without_another_partner_are_a_stated_difference(options: AblationOptions) -> None:
    lone = make_pair("lone", "Only one.", "短い。", languages="en ja")
    pairs = [*(make_pair(f"p{i}", "Text.", "Texto.") for i in range(8)), lone]
    write_pairs(options.base.pairs[0], pairs)
    made = make_ablation(replace(options, modes=("crossic", "random_pair")))
    texts = [sum(corpus.texts.tokens.values()) for corpus in made]
    assert texts[0] - texts[1] == len("lone\n\nOnly one.\n\nLONE\n\n短い。\n\n".encode())
    assert [corpus.without_partner for corpus in made] == [0, 1]
    table = ablation_table(made)
    assert "| random_pair* |" in table
    assert "* 1 pairs were left out" in table
    lost = {**made[1].manifest.counts, "tokens_dropped": {"no_other_partner": 1}}
    changed = replace(made[1], manifest=replace(made[1].manifest, counts=lost))
    with pytest.raises(DataError, match="random_pair must have the .* but those of pairs without"):
        check_corpora([made[0], changed])


def test_another_budget_is_found(options: AblationOptions) -> None:
    made = make_ablation(replace(options, match_tokens=False, modes=("crossic", "target_only")))
    check_corpora(made)
    with pytest.raises(DataError, match="target_only must have the .* document tokens of crossic"):
        check_budgets(made, seq_length=64)


def test_the_digest_knows_the_order_of_tokens_where_it_can(options: AblationOptions) -> None:
    make_ablation(replace(options, modes=("crossic",)))
    prefix = options.folder / "crossic"

    def digest(*, in_order: bool) -> str:
        total = digest_texts(prefix, in_order=in_order, num_tokens=10**9)
        return total.digests["source"]

    before = [digest(in_order=each) for each in (True, False)]
    path = data_set_files(prefix)["bin"]
    tokens = np.fromfile(path, dtype=np.uint16)
    at = int(np.flatnonzero(tokens == ord("x"))[0])
    tokens[[at, at + 1]] = tokens[[at + 1, at]]
    tokens.tofile(path)
    after = [digest(in_order=each) for each in (True, False)]
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, True]


@pytest.mark.parametrize("modes", [("mix",), ("crossic", "documents"), ()])
def test_modes_that_cannot_work(options: AblationOptions, modes: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="modes must be among crossic, .* and have crossic"):
        replace(options, modes=modes)

"""The manifest as tables."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from inspected_windows import hostile_data_set
from small_pairs import make_pair, write_byte_tokenizer, write_pairs

from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.pipeline import preprocess
from megatron_crossic.data.store import open_windows
from megatron_crossic.inspection.account import account_sections
from megatron_crossic.manifest import Manifest


def test_everything_the_pipeline_writes_is_shown(tmp_path: Path) -> None:
    pairs = [make_pair(f"pair {i}", "Text. " * 5, "Texto." * 4) for i in range(12)]
    options = PreprocessOptions(
        pairs=(write_pairs(tmp_path / "pairs_of.jsonl", [*pairs, make_pair("e", "", "x")]),),
        tokenizer=write_byte_tokenizer(tmp_path / "tokenizer"),
        output_prefix=tmp_path / "x",
        seq_length=128,
    )
    preprocess(options)
    manifest = open_windows(tmp_path / "x").manifest
    sections = {s.title: dict(s.rows) for s in account_sections(manifest)}
    assert sections["Pairs and tokens"]["pairs read"] == "13"
    assert sections["Pairs and tokens"]["dropped: empty source"] == "1"
    assert sections["Pairs and tokens"]["fill rate"] == f"{manifest.details['fill_rate']:.2%}"
    assert sections["Tokens by language"].keys() == {"en", "es"}
    assert set(sections["Tokens by role"]) == {"bos", "source", "target", "split", "pad"}
    assert sections["Options"]["mode"] == "crossic"
    assert sections["Options"]["with title"] == "yes"
    assert sections["Format"]["seq length"] == "128"
    assert "sha256" in sections["Inputs"]["pairs_of.jsonl"]


def test_a_manifest_that_says_little_gives_few_tables(tmp_path: Path) -> None:
    store, _ = hostile_data_set(tmp_path)
    titles = [section.title for section in account_sections(store.manifest)]
    assert titles == ["Pairs and tokens", "Format", "Options"]


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_texts_of_a_manifest_are_made_visible(text: str) -> None:
    manifest = Manifest(kind="windows", options={text: [text], "x": {text: text}}, counts={text: 1})
    rows = [cell for section in account_sections(manifest) for row in section.rows for cell in row]
    assert len(rows) >= 6
    assert not {c for cell in rows for c in cell} & set("\x1b\x9b\x07\r\n\u2028\u202e\ud800")

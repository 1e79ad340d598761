"""An unmodified GPTDataset of megatron-core yields exactly our windows."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
from megatron.core.datasets.indexed_dataset import IndexedDataset
from megatron.core.datasets.utils import Split
from small_pairs import EOD, make_pair, write_byte_tokenizer, write_pairs

from megatron_crossic.data import indexed
from megatron_crossic.data.modes import MODES
from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.pipeline import preprocess
from megatron_crossic.data.store import WindowStore, open_windows

SEQ_LENGTH = 32


@pytest.mark.parametrize("assembly", ["split_aware", "best_fit"])
@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
@pytest.mark.filterwarnings("ignore:The pad token id")
def test_every_sample_is_one_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, assembly: str, dtype: type[np.integer]
) -> None:
    monkeypatch.setitem(vars(indexed), "UINT16_VOCAB_SIZE", 65500 if dtype == np.uint16 else 0)
    store = make_windows(tmp_path, assembly)
    assert store.tokens(0).dtype == dtype
    data = read_with_megatron(tmp_path / "x", eod=256)
    assert len(data) == len(store) > 20
    assert sorted(data.shuffle_index.tolist()) == list(range(len(store)))
    for i in range(len(data)):
        # The shuffle index names a sample, the document index the window that sample starts.
        window = store.tokens(int(data.document_index[data.shuffle_index[i]])).astype(np.int64)
        sample = data[i]
        assert np.array_equal(sample["tokens"].numpy(), window)
        assert np.array_equal(sample["labels"].numpy()[:-1], window[1:])
        assert sample["loss_mask"].tolist() == [1.0] * (SEQ_LENGTH - 1) + [0.0]


@pytest.mark.parametrize("granularity", ["chunk", "paragraph"])
@pytest.mark.parametrize("mode", sorted(MODES))
@pytest.mark.filterwarnings("ignore:The pad token id")
def test_every_mode_is_read(tmp_path: Path, mode: str, granularity: str) -> None:
    store = make_windows(tmp_path, "best_fit", mode=mode, granularity=granularity)
    data = read_with_megatron(tmp_path / "x", eod=256)
    windows = {store.tokens(i).astype(np.int64).tobytes() for i in range(len(store))}
    assert {data[i]["tokens"].numpy().tobytes() for i in range(len(data))} == windows
    assert len(data) == len(store) > 10


def make_windows(folder: Path, assembly: str, **options: Any) -> WindowStore:
    """Pairs in two and three languages, or single documents in that mode."""
    pairs = [make_pair(f"p{i}", "Text. " * (i % 9), "Texto. " * (i % 7)) for i in range(30)]
    third = make_pair("", "", "三。" * 9, languages="en ja").targets
    pairs += [replace(pair, targets=(*pair.targets, *third)) for pair in pairs[10:20]]
    path = write_pairs(folder / "pairs.jsonl", pairs)
    if options.get("mode") == "documents":
        records = [document for pair in pairs for document in pair.documents]
        lines = [{"text": each.text, "lang": each.language} for each in records]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    preprocess(
        PreprocessOptions(
            pairs=(path,),
            tokenizer=write_byte_tokenizer(folder / "tokenizer", config={"eos_token": EOD}),
            output_prefix=folder / "x",
            seq_length=SEQ_LENGTH,
            assembly=assembly,
            **options,
        )
    )
    return open_windows(folder / "x")


def read_with_megatron(prefix: Path, *, eod: int) -> GPTDataset:
    config = GPTDatasetConfig(
        random_seed=7,
        sequence_length=SEQ_LENGTH,
        blend=([str(prefix)], None),
        split="1,0,0",
        tokenizer=SimpleNamespace(eod=eod, pad=eod, vocab_size=258, unique_identifiers={}),
        reset_position_ids=False,
        reset_attention_mask=False,
        eod_mask_loss=False,
        create_attention_mask=False,
        add_extra_token_to_sequence=False,
    )
    tokens = IndexedDataset(str(prefix))
    windows = np.arange(len(tokens), dtype=np.int32)
    return GPTDataset(tokens, str(prefix), windows, None, Split.train, config)

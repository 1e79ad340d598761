from pathlib import Path

import numpy as np
import pytest
from small_pairs import write_byte_tokenizer

from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.tokenizer import Tokenizer, load_tokenizer
from megatron_crossic.data.windows import WindowLayout
from megatron_crossic.errors import ConfigError


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return load_tokenizer(write_byte_tokenizer(tmp_path_factory.mktemp("byte")))


def options(**values: object) -> PreprocessOptions:
    required = {"pairs": (Path("p"),), "tokenizer": Path("t"), "output_prefix": Path("o")}
    return PreprocessOptions(**{**required, "seq_length": 64, **values})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mode": "odd"}, "mode must be one of crossic, reversed, alternate, .* got 'odd'"),
        ({"assembly": "odd"}, "assembly must be one of split_aware, best_fit, got 'odd'"),
        ({"length_ratio_rule": "odd"}, "length-ratio-rule must be one of truncate, drop, keep"),
        ({"pairs": ()}, "pairs must name at least one file"),
        ({"max_length_ratio": 0.5}, r"max-length-ratio must be finite and at least 1, got 0\.5"),
        ({"max_length_ratio": float("nan")}, "max-length-ratio must be finite .*, got nan"),
        ({"max_length_ratio": float("inf")}, "max-length-ratio must be finite .*, got inf"),
        ({"validation_fraction": 1.0}, r"validation-fraction must be .* below 1, got 1\.0"),
        ({"max_chunk_tokens": 7}, "max-chunk-tokens must be at least 8, got 7"),
        ({"workers": 0}, "workers must be positive, got 0"),
        ({"granularity": "word"}, "granularity must be one of chunk, paragraph, got 'word'"),
        ({"encoder": "fast"}, "encoder must be one of auto, gigatoken, tokenizers, got 'fast'"),
        ({"language": "english"}, "language must be a two-letter .* got 'english'"),
        ({"segment_bytes": 5 << 20}, "segment size must be a multiple of 4 MiB, got 5242880"),
        ({"shard": (8, 8)}, "shard must be i/n with 0 <= i < n, got 8/8"),
        ({"shard": (0, 2), "match_tokens": Path("x")}, "match-tokens must be used without --shard"),
    ],
)
def test_options_that_cannot_work(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        options(**values)


def test_a_window_must_have_room_for_a_chunk(tokenizer: Tokenizer) -> None:
    options(seq_length=9).check_seq_length(tokenizer)
    for seq_length in (-1, 8, 2**31):
        with pytest.raises(ConfigError, match=f"must be 9 to 2147483647, got {seq_length}"):
            options(seq_length=seq_length).check_seq_length(tokenizer)


def test_the_split_token(tokenizer: Tokenizer) -> None:
    assert options().split_id(tokenizer) == tokenizer.eod_id
    assert options(split_token="<|padding|>").split_id(tokenizer) == 257
    with pytest.raises(ConfigError, match="split-token must be a token of the .* got '<none>'"):
        options(split_token="<none>").split_id(tokenizer)


def test_the_budget_of_a_chunk() -> None:
    layout = WindowLayout(seq_length=64, bos_id=1, split_id=2, pad_id=2, dtype=np.dtype(np.uint16))
    assert options().chunk_budget(layout) == 62
    assert options(max_chunk_tokens=20).chunk_budget(layout) == 20
    assert options(max_chunk_tokens=999).chunk_budget(layout) == 62


def test_a_shard_has_its_number_in_its_names() -> None:
    chosen = options(shard=(3, 8), validation_fraction=0.1)
    assert chosen.prefix == Path("o-00003-of-00008")
    assert chosen.validation_prefix == Path("o-validation-00003-of-00008")

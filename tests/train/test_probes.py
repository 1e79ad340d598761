"""Probe windows made of held-out chunks, through real data sets in which a byte is a token."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_pairs import EOD, PAD, make_pair, write_byte_tokenizer, write_pairs

from megatron_crossic.config import AttentionScope, DataConfig
from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.pipeline import preprocess
from megatron_crossic.data.records import Document, Pair
from megatron_crossic.data.spans import Role
from megatron_crossic.train.batches import windows_to_batch
from megatron_crossic.train.dataset import Window, open_data
from megatron_crossic.train.probes import CASES, Probes, make_probes

SEQ_LENGTH = 64
END_ID = 256
WITH_BOS = {"bos_token": EOD, "add_bos_token": True, "eos_token": EOD, "pad_token": PAD}
PAIRS = [make_pair(f"pair {i}", "s" * i + f" {i}.", f"Target {i}.") for i in range(1, 9)]

MakeProbes = Callable[..., Probes | None]


@pytest.fixture
def probes(tmp_path: Path) -> MakeProbes:
    """Probes of a data set of `pairs`, made in the given way."""

    def make(
        pairs: Sequence[Pair] = PAIRS, *, num_chunks: int = 100, bos: bool = True, **options: Any
    ) -> Probes | None:
        config = WITH_BOS if bos else None
        made = PreprocessOptions(
            pairs=(write_pairs(tmp_path / "pairs.jsonl", pairs),),
            tokenizer=write_byte_tokenizer(tmp_path / "tokenizer", config=config),
            output_prefix=tmp_path / "windows",
            seq_length=SEQ_LENGTH,
            with_title=False,
            overwrite=True,
        )
        preprocess(replace(made, **options))
        data = open_data(DataConfig(train=(tmp_path / "windows",)))
        return make_probes(
            data.train, data.languages, num_chunks=num_chunks, seq_length=data.seq_length
        )

    return make


def texts(probes: Probes | None, case: str) -> list[str]:
    """The texts of the windows of a case."""
    assert probes is not None
    return [text(window) for window in probes.windows[case]]  # type: ignore[index]


def text(window: Window) -> str:
    tokens = window.tokens[: SEQ_LENGTH - int(window.lengths[-1])].tolist()
    return as_text(tokens)


def counted(window: Window, *, scope: AttentionScope = "window") -> str:
    """The tokens whose loss is measured."""
    batch = windows_to_batch([window], split_loss=False, loss_on="target", attention_scope=scope)
    return as_text(batch.labels[batch.loss_mask > 0].tolist())


def as_text(tokens: Sequence[int]) -> str:
    """Without the blank lines that end every paragraph; `|` is end of document."""
    whole = "".join("|" if token == END_ID else chr(token) for token in tokens)
    return whole.replace("\n", "")


def test_the_three_cases_differ_in_their_context_alone(probes: MakeProbes) -> None:
    made = probes()
    assert made is not None
    assert made.directions == ("es after en",)
    expected = [f"{pair.source.text}{pair.targets[0].text}" for pair in PAIRS]
    assert texts(made, "paired") == [f"|{one}" for one in expected]
    assert texts(made, "alone") == [f"|{pair.targets[0].text}" for pair in PAIRS]
    others = [*PAIRS[1:], PAIRS[0]]  # each borrows the next longer source
    assert texts(made, "random") == [
        f"|{other.source.text}{pair.targets[0].text}"
        for pair, other in zip(PAIRS, others, strict=True)
    ]


@pytest.mark.parametrize("bos", [True, False])
@pytest.mark.parametrize("scope", ["window", "pair", "chunk"])
def test_the_same_tokens_are_measured_in_each_case(
    probes: MakeProbes, bos: bool, scope: AttentionScope
) -> None:
    """Without BOS nothing predicts the first token of a text that stands alone."""
    made = probes(bos=bos)
    assert made is not None
    expected = [pair.targets[0].text[0 if bos else 1 :] for pair in PAIRS]
    for case in CASES:
        assert [counted(window, scope=scope) for window in made.windows[case]] == expected


def test_all_windows_are_alike_to_the_model(probes: MakeProbes) -> None:
    made = probes()
    assert made is not None
    for windows in made.windows.values():
        for window in windows:
            assert window.tokens.shape == (SEQ_LENGTH,)
            assert window.lengths.sum() == SEQ_LENGTH
            batch = windows_to_batch([window], split_loss=False, attention_scope="chunk")
            end = SEQ_LENGTH - int(window.lengths[-1])
            assert batch.position_ids[0, :end].tolist() == list(range(end))


def test_what_comes_first_is_the_context(probes: MakeProbes) -> None:
    made = probes(mode="reversed")
    assert made is not None
    assert made.directions == ("en after es",)
    assert set(texts(made, "alone")) == {f"|{pair.source.text}" for pair in PAIRS}
    expected = {f"|{pair.targets[0].text}{pair.source.text}" for pair in PAIRS}
    assert set(texts(made, "paired")) == expected


def test_both_orders_are_two_directions(probes: MakeProbes) -> None:
    long = [make_pair(f"{i}", f"a{i}. " * 20, f"b{i}. " * 20) for i in range(3)]
    made = probes(long, mode="alternate")
    assert made is not None
    assert made.directions == ("es after en", "en after es")
    languages = [window.languages[1] for window in made.windows["alone"]]
    assert languages == [0, 0, 0, 1, 1, 1]
    starts = [one[1] for one in texts(made, "paired")]
    assert starts == ["a", "a", "a", "b", "b", "b"]


def test_every_target_of_a_chunk_is_measured_after_the_source_alone(probes: MakeProbes) -> None:
    pairs = [
        Pair(
            id=str(i),
            source=Document(language="en", title="", text=f"Source {i}."),
            targets=tuple(
                Document(language=language, title="", text=f"{language} {i}.")
                for language in ("ja", "es")
            ),
        )
        for i in range(3)
    ]
    made = probes(pairs)
    assert made is not None
    assert made.directions == ("es after en", "ja after en")
    expected = [f"|Source {i}.{language} {i}." for language in ("es", "ja") for i in range(3)]
    assert sorted(texts(made, "paired")) == sorted(expected)
    for own, other in zip(texts(made, "paired"), texts(made, "random"), strict=True):
        assert own[-5:] == other[-5:]
        assert own[:10] != other[:10]


def test_paragraphs_side_by_side_are_joined(probes: MakeProbes) -> None:
    pairs = [make_pair(f"{i}", f"one{i}\n\ntwo{i}", f"uno{i}\n\ndos{i}") for i in range(2)]
    by_paragraph = texts(probes(pairs, granularity="paragraph"), "paired")
    assert by_paragraph == [f"|one{i}two{i}uno{i}dos{i}" for i in range(2)]


def test_a_source_that_does_not_fit_loses_its_beginning(probes: MakeProbes) -> None:
    pairs = [
        make_pair("long target", "Short.", "t" * 40),
        make_pair("long source", "".join(chr(65 + i) for i in range(40)), "end"),
    ]
    made = probes(pairs, length_ratio_rule="keep")
    assert texts(made, "paired")[0] == "|Short." + "t" * 40
    kept = SEQ_LENGTH - 1 - 40 - 2 * len("\n\n")
    assert texts(made, "random")[0] == f"|{pairs[1].source.text[-kept:]}{'t' * 40}"
    assert texts(made, "random")[1] == "|Short.end"


def test_every_context_is_borrowed_once_and_never_by_its_own_pair(probes: MakeProbes) -> None:
    made = probes()
    own = [one.split("Target")[0] for one in texts(made, "paired")]
    borrowed = [one.split("Target")[0] for one in texts(made, "random")]
    assert sorted(own) == sorted(borrowed)
    assert all(a != b for a, b in zip(own, borrowed, strict=True))


def test_a_pair_of_many_chunks_counts_once(probes: MakeProbes) -> None:
    made = probes([*PAIRS[:2], make_pair("long", "Long. " * 90, "Largo. " * 90)])
    assert len(texts(made, "paired")) == 3


@pytest.mark.parametrize(("num_chunks", "expected"), [(2, 2), (5, 5), (8, 8), (9, 8)])
def test_no_more_chunks_than_asked_for_and_always_the_same(
    probes: MakeProbes, num_chunks: int, expected: int
) -> None:
    made = texts(probes(num_chunks=num_chunks), "paired")
    assert len(set(made)) == expected
    assert texts(probes(num_chunks=num_chunks), "paired") == made


def test_two_directions_share_the_chunks(probes: MakeProbes) -> None:
    other = [make_pair(f"ja {i}", f"Source {i}.", f"{i}", languages="en ja") for i in range(8)]
    made = probes([*PAIRS, *other], num_chunks=6)
    assert made is not None
    assert [window.languages[1] for window in made.windows["paired"]] == [0, 0, 0, 1, 1, 1]
    only = probes([*PAIRS[:4], *other], num_chunks=3)  # a direction needs two chunks
    assert only is not None
    assert only.directions == ("ja after en",)


def test_without_pairs_there_are_no_probes(probes: MakeProbes) -> None:
    assert probes(mode="mix") is None
    assert probes(PAIRS[:1]) is None
    assert probes(num_chunks=0) is None


def test_nothing_but_the_measured_text_has_a_language(probes: MakeProbes) -> None:
    made = probes()
    assert made is not None
    window = made.windows["paired"][0]
    assert window.roles.tolist() == [Role.SOURCE, Role.TARGET, Role.PAD]
    assert window.languages.tolist() == [1, 0, 1]
    assert np.all(window.tokens[-int(window.lengths[-1]) :] == 0)

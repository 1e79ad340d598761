"""Our faster Punkt against NLTK's, with parameters that NLTK trained, saved and loads."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nltk.tokenize.punkt import PunktTokenizer
from punkt_folder import SENTENCES, install_punkt

from megatron_crossic.data.fast_punkt import BLOCK, FastPunkt
from megatron_crossic.data.punkt import PUNKT_MODELS, load_punkt
from megatron_crossic.errors import ConfigError

PARTS = (
    "Dr. Mr. etc. e.g. bee. Bee flower? The He said J. S. 3.5 4. it! ... . . . (so.) "
    '"No." ) -- a.b é. 日本。 -\n'
)


@pytest.fixture(scope="module", autouse=True)
def punkt_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with install_punkt(tmp_path_factory.mktemp("nltk"), "english"):
        yield


def nltk_ends(text: str) -> list[int]:
    return [end for _, end in PunktTokenizer("english").span_tokenize(text)]


def test_abbreviations_come_from_the_parameters() -> None:
    text = "Then Dr. Smith came. He left."
    assert [text[:end] for end in load_punkt("english").ends(text)] == [
        "Then Dr. Smith came.",
        text,
    ]


@settings(max_examples=200)
@given(st.lists(st.sampled_from(PARTS.split(" ")), max_size=25).map(" ".join))
@example(SENTENCES)
@example("Bees. . . . The bee.")
@example("bee.\nThe bee")
@example(SENTENCES * 100)
def test_the_sentences_are_nltks(text: str) -> None:
    assert list(load_punkt("english").ends(text)) == nltk_ends(text)


@pytest.mark.parametrize("block", [120, 200, 1000])
def test_blocks_do_not_change_sentences(block: int) -> None:
    text = SENTENCES * 20
    ends = list(FastPunkt("english", block=block).ends(text))
    assert len(ends) > 30
    assert ends == nltk_ends(text)


def test_a_word_longer_than_a_block_goes_through() -> None:
    text = "x" * (2 * BLOCK) + " y. The bee."
    ends = list(load_punkt("english").ends(text))
    assert ends == sorted(ends)
    assert ends[-1] == len(text)


def test_missing_parameters_say_what_to_do(tmp_path: Path) -> None:
    with install_punkt(tmp_path), pytest.raises(ConfigError) as caught:
        load_punkt("english")
    message = str(caught.value)
    assert message.startswith("Punkt parameters must be installed for --sentence-splitter punkt")
    assert "python -m nltk.downloader punkt_tab" in message
    assert f"models for {' '.join(PUNKT_MODELS)};" in message
    assert "use sentencex" in message
    assert not list((tmp_path / "tokenizers" / "punkt_tab").iterdir()), "nothing was downloaded"


@pytest.mark.parametrize(
    ("name", "content"), [("ortho_context.tab", b"bee\tmany"), ("abbrev_types.txt", b"\xff\xfe")]
)
def test_damaged_parameters_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    with install_punkt(tmp_path, "english"):
        path = tmp_path / "tokenizers" / "punkt_tab" / "english" / name
        path.write_bytes(content)
        with pytest.raises(ConfigError, match="got no usable punkt_tab/english"):
            load_punkt("english")
        path.unlink()
        with pytest.raises(ConfigError, match=f"has no '{name}'"):
            load_punkt("english")

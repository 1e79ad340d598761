"""Whether a text may be in the language it claims."""

import pytest

from megatron_crossic.data.languages import detect_language, excerpt, is_of_language

pytest.importorskip("py3langid", reason="py3langid is an extra")

INDONESIAN = (
    "Lebah adalah serangga terbang yang dikenal karena peranannya dalam penyerbukan bunga. "
)
ENGLISH = "Bees are flying insects known for their role in pollination and for making honey. "
NORWEGIAN = "Bier er flygende insekter som er kjent for sin rolle i pollinering av blomster. "


def test_another_language_is_told() -> None:
    assert detect_language(ENGLISH, claimed="es") == "en"
    assert is_of_language(ENGLISH, "en")
    assert not is_of_language(ENGLISH, "id")


def test_close_relatives_pass_for_each_other() -> None:
    assert is_of_language(INDONESIAN, "id")
    assert is_of_language(INDONESIAN, "ms")
    assert not is_of_language(INDONESIAN, "en")
    assert detect_language(NORWEGIAN, claimed="nb") == "nb"


def test_a_short_text_may_be_of_any_language() -> None:
    assert detect_language("  Bees.  ", claimed="th") is None
    assert is_of_language("Bees.", "th")


def test_the_excerpt_is_from_the_beginning_and_the_middle() -> None:
    assert excerpt("short") == "short"
    assert excerpt("a" * 5000 + "b" * 5000) == "a" * 1000 + "\n" + "b" * 1000

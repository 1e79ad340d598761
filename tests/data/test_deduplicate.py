"""Near-duplicate removal: laws on generated pairs, and texts one can judge by eye."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_pairs import make_pair, write_pairs

from megatron_crossic.data.deduplicate import index
from megatron_crossic.data.deduplicate.build import deduplicate_pairs
from megatron_crossic.data.deduplicate.options import DeduplicateOptions
from megatron_crossic.data.pairs import read_pairs
from megatron_crossic.data.records import Pair
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.files import fingerprint_file
from megatron_crossic.manifest import Manifest, manifest_path, read_manifest

pytest.importorskip("rensa", reason="near-duplicate removal needs the extra `dedup`")

BEES = (
    "Bees fly from flower to flower in spring and in summer. They carry pollen and nectar to the "
    "hive, where other bees turn the nectar into honey. A hive has one queen, and some thousands "
    "of workers that live for six weeks. In winter they sit close together and keep the hive warm."
)
SHIPS = (
    "The harbour was built by merchants who traded in salt, copper and wool across the cold sea. "
    "Ships of forty metres could enter at high tide. After the war the docks were filled in, and "
    "today a museum shows the tools of the ropemakers, their lamps, ledgers and wooden cranes."
)
TEXTS = {
    "en": BEES,
    "ar": "تطير النحلات من زهرة إلى زهرة في الربيع وفي الصيف وتحمل حبوب اللقاح والرحيق إلى الخلية "
    "حيث تحول نحلات أخرى الرحيق إلى عسل وفي الخلية ملكة واحدة وآلاف من العاملات "
    "التي تعيش ستة أسابيع",
    "ja": "ミツバチは春と夏に花から花へと飛び回り、花粉と花の蜜を巣に運びます。"
    "巣では別のハチが蜜を蜂蜜に変えます。"
    "巣には女王が一匹と、六週間生きる数千匹の働きバチがいます。冬には身を寄せ合って巣を暖かく保ちます。",
    "th": "ผึ้งบินจากดอกไม้หนึ่งไปยังอีกดอกหนึ่งในฤดูใบไม้ผลิและฤดูร้อน พวกมันนำเกสรและน้ำหวานไปที่รัง "
    "ซึ่งผึ้งตัวอื่นเปลี่ยนน้ำหวานให้เป็นน้ำผึ้ง รังหนึ่งมีนางพญาหนึ่งตัวและผึ้งงานหลายพันตัว",
}


def run(
    folder: Path, pairs: list[Pair], *, name: str = "out", **options: Any
) -> tuple[list[Pair], Manifest, list[dict[str, Any]]]:
    """Pairs that stay, the manifest and the log."""
    given = write_pairs(folder / f"{name}-in.jsonl", pairs)
    output, log = folder / f"{name}.jsonl", folder / f"{name}-log.jsonl"
    settings_of_run = DeduplicateOptions(pairs=(given,), output=output, log=log, **options)
    manifest = deduplicate_pairs(settings_of_run)
    assert read_manifest(manifest_path(output), kind="pairs") == manifest
    records = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return list(read_pairs(output)), manifest, records


def ids(pairs: list[Pair]) -> list[str]:
    return [pair.id for pair in pairs]


@pytest.mark.parametrize("language", list(TEXTS))
def test_a_changed_word_is_a_near_duplicate_and_other_texts_stay(
    tmp_path: Path, language: str
) -> None:
    text = TEXTS[language]
    half = text[: len(text) // 2]
    pairs = [
        make_pair("first", BEES, text, languages=f"en {language}"),
        make_pair("changed", BEES, text + text[:6], languages=f"en {language}"),
        make_pair("same", BEES, text, languages=f"en {language}"),
        make_pair("other", SHIPS, text, languages=f"en {language}"),
        make_pair("half", SHIPS, half, languages=f"en {language}"),
    ]
    kept, manifest, log = run(tmp_path, pairs, pairs_threshold=0.8, side="target")
    assert ids(kept) == ["first", "half"]
    assert manifest.drops == {"exact_duplicate_pair": 2, "near_duplicate_pair": 1}
    assert [(r["pair"], r["duplicate_of"], r["reason"]) for r in log] == [
        ("changed", "first", "near_duplicate_pair"),
        ("same", "first", "exact_duplicate_pair"),
        ("other", "first", "exact_duplicate_pair"),
    ]
    assert 0.8 <= log[0]["similarity"] < 1 == log[1]["similarity"]
    assert (log[2]["pair_number"], log[2]["duplicate_of_number"]) == (4, 1)


def test_both_sides_count_together_unless_one_is_named(tmp_path: Path) -> None:
    pairs = [make_pair("a", BEES, TEXTS["ar"]), make_pair("b", BEES, SHIPS)]
    kept, _, _ = run(tmp_path, pairs, name="both", pairs_threshold=0.8)
    assert ids(kept) == ["a", "b"]
    kept, _, _ = run(tmp_path, pairs, name="source", pairs_threshold=0.8, side="source")
    assert ids(kept) == ["a"]


def test_a_source_stays_for_each_target_language(tmp_path: Path) -> None:
    pairs = [make_pair(name, BEES, SHIPS, languages=f"en {name}") for name in ("es", "ja", "pt")]
    options = {"pairs_threshold": 0.8, "paragraphs_threshold": 0.8, "side": "source"}
    kept, manifest, _ = run(tmp_path, pairs, **options)
    assert (kept, manifest.drops) == (pairs, {})


def test_boilerplate_goes_where_it_repeats(tmp_path: Path) -> None:
    notice = "This article is part of a series about insects. You can help by adding to it, please."
    changed = notice + " Thanks."
    pairs = [
        make_pair("a", f"{BEES}\n\n{notice}\n\nshort", "x"),
        make_pair("b", f"{notice}\n\nshort\n\n{SHIPS}\n\n{changed}", "x"),
        make_pair("c", f"{notice}\n\n{changed}", f"{TEXTS['ar']}"),
        make_pair("d", "untouched  ", f"\n\n{TEXTS['ar']}\n \nx"),
    ]
    options = {"paragraphs_threshold": 0.8, "paragraphs_min_characters": 60}
    kept, manifest, log = run(tmp_path, pairs, **options)
    # c would have no source left; its Arabic paragraph then is no earlier one for d.
    assert ids(kept) == ["a", "b", "d"]
    assert (kept[0], kept[2]) == (pairs[0], pairs[3])
    assert kept[1].source.text == f"short\n\n{SHIPS}"
    assert manifest.drops == {
        "empty_side_after_paragraphs": 1,
        "exact_duplicate_paragraph": 1,
        "near_duplicate_paragraph": 1,
    }
    assert manifest.counts["characters_removed"] == {
        "empty_side_after_paragraphs": len(pairs[2].source.text + pairs[2].targets[0].text),
        "exact_duplicate_paragraph": len(notice),
        "near_duplicate_paragraph": len(changed),
        "paragraph_breaks": 4,
    }
    assert [(r["pair"], r.get("duplicate_of"), r.get("paragraph")) for r in log] == [
        ("b", "a", 0),
        ("b", "a", 3),
        ("c", None, None),
    ]


WORDS = st.lists(st.sampled_from("bee hive ship sea 蜂 巣 é ...".split()), max_size=12)
PARAGRAPHS = st.lists(WORDS.map(" ".join), max_size=4).map("\n\n".join)


@pytest.mark.parametrize(
    "options",
    [
        {"pairs_threshold": 0.5},
        {"pairs_threshold": 1.0, "side": "target"},
        {"paragraphs_threshold": 0.6, "paragraphs_min_characters": 3},
    ],
)
@settings(max_examples=25)
@given(texts=st.lists(st.tuples(PARAGRAPHS, PARAGRAPHS), min_size=1, max_size=12))
def test_laws(
    tmp_path_factory: pytest.TempPathFactory, options: dict[str, Any], texts: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("laws")
    pairs = [make_pair(str(i), *text, languages="en ja") for i, text in enumerate(texts)]
    kept, manifest, log = run(folder, pairs, **options)
    order = [int(pair.id) for pair in kept]
    assert order == sorted(set(order))
    assert order[0] == 0
    of_pairs = sum(n for reason, n in manifest.drops.items() if not reason.endswith("paragraph"))
    assert len(kept) + of_pairs == manifest.counts["pairs_read"] == len(pairs)
    assert len(log) == sum(manifest.drops.values())
    dropped = {r["pair"] for r in log if not r["reason"].endswith("paragraph")}
    assert dropped.isdisjoint(ids(kept))
    assert {r["duplicate_of"] for r in log if "duplicate_of" in r} <= set(ids(kept))
    # Again with the same options nothing goes, and again from the start gives the same bytes.
    again, manifest_again, _ = run(folder, kept, name="again", **options)
    assert (again, manifest_again.drops) == (kept, {})
    _, repeated, _ = run(folder, pairs, name="repeated", **options)
    assert repeated.files["pairs"].sha256 == manifest.files["pairs"].sha256


def test_texts_without_words_are_compared_exactly(tmp_path: Path) -> None:
    pairs = [make_pair(str(i), text, "") for i, text in enumerate(["...", "!!!", "...", "", ""])]
    kept, _, log = run(tmp_path, pairs, pairs_threshold=0.5)
    assert ids(kept) == ["0", "1", "3", "4"]
    assert log[0]["reason"] == "exact_duplicate_pair"


def test_large_groups_are_compared_in_part_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(index), "MOST_KEPT", 2)
    # All share the text on bees, so many are in one bucket and few are alike enough to go.
    pairs = [make_pair(str(i), f"{BEES} {' '.join(str(i * j) for j in range(40))}", "x")
             for i in range(1, 40)]  # fmt: skip
    kept, manifest, _ = run(tmp_path, pairs, pairs_threshold=0.6, side="source")
    assert manifest.counts["full_buckets"] > 0
    again, repeated, _ = run(tmp_path, kept, name="again", pairs_threshold=0.6, side="source")
    assert (again, repeated.drops) == (kept, {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "pairs-threshold or paragraphs-threshold must be given, got neither"),
        ({"pairs_threshold": 0.4}, r"pairs-threshold must be 0\.5 to 1, got 0\.4"),
        ({"pairs_threshold": float("nan")}, r"pairs-threshold must be 0\.5 to 1, got nan"),
        ({"paragraphs_threshold": 80.0}, r"paragraphs-threshold must be 0\.5 to 1, got 80\.0"),
        ({"pairs_threshold": 0.8, "side": "left"}, "side must be one of both, source, target"),
        (
            {"paragraphs_threshold": 0.8, "paragraphs_min_characters": 0},
            "paragraphs-min-characters must be positive, got 0",
        ),
        ({"pairs_threshold": 0.8, "pairs": ()}, "pairs must name at least one file"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DeduplicateOptions(**{"pairs": (Path("a"),), "output": Path("b")} | options)


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rensa", None)
    with pytest.raises(ConfigError, match=r"rensa must be installed .*megatron-crossic\[dedup\]"):
        run(tmp_path, [make_pair("a", "x", "y")], pairs_threshold=0.8)
    assert [path.name for path in tmp_path.iterdir()] == ["out-in.jsonl"]


def test_an_error_leaves_nothing_and_inputs_are_safe(tmp_path: Path) -> None:
    path = write_pairs(tmp_path / "in.jsonl", [make_pair("a", "x", "y")])
    options = {"pairs": (path,), "pairs_threshold": 0.8}
    with pytest.raises(ConfigError, match="output must not replace an input"):
        deduplicate_pairs(
            DeduplicateOptions(output=tmp_path / "o.jsonl", log=path, overwrite=True, **options)
        )
    before = fingerprint_file(path)
    with path.open("a", encoding="utf-8") as file:
        file.write("{\n")
    with pytest.raises(DataError, match=r"in\.jsonl, line 2 must be one JSON object"):
        deduplicate_pairs(
            DeduplicateOptions(output=tmp_path / "o.jsonl", log=tmp_path / "l.jsonl", **options)
        )
    assert before.num_bytes + 2 == path.stat().st_size
    assert [found.name for found in tmp_path.iterdir()] == ["in.jsonl"]


def test_files_that_change_between_the_passes_are_refused(tmp_path: Path) -> None:
    path = write_pairs(tmp_path / "in.jsonl", [make_pair(str(i), "x", "y" * i) for i in range(3)])
    size = path.stat().st_size
    longer = [make_pair(str(i), "x", "y" * i) for i in range(2)]
    options = DeduplicateOptions(pairs=(path,), output=tmp_path / "o.jsonl", pairs_threshold=0.8)

    def change(done: int, _total: int) -> None:
        if done == size:
            write_pairs(path, longer)

    with pytest.raises(DataError, match="pair files must stay as they are"):
        deduplicate_pairs(options, on_progress=change)
    assert [found.name for found in tmp_path.iterdir()] == ["in.jsonl"]


@pytest.mark.parametrize("moment", [1, 2])
def test_an_interruption_leaves_nothing(tmp_path: Path, moment: int) -> None:
    """At the end of the first pass and of the second."""
    path = write_pairs(tmp_path / "in.jsonl", [make_pair(str(i), "x", "y" * i) for i in range(3)])
    size = path.stat().st_size
    options = DeduplicateOptions(
        pairs=(path,), output=tmp_path / "o.jsonl", log=tmp_path / "l.jsonl", pairs_threshold=0.8
    )

    def interrupt(done: int, total: int) -> None:
        assert total == 2 * size
        if done == moment * size:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deduplicate_pairs(options, on_progress=interrupt)
    assert [found.name for found in tmp_path.iterdir()] == ["in.jsonl"]

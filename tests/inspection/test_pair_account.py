"""What a manifest says is shown whole and adds up."""

from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.inspection.pairs.account import breakdowns
from megatron_crossic.manifest import Manifest

NAMES = st.text("abc_", min_size=1, max_size=5)
DROPS = st.dictionaries(NAMES, st.integers(1, 10**6), max_size=6)


@given(st.integers(0, 10**6), DROPS, DROPS, DROPS)
def test_every_page_and_article_is_in_one_bar(
    pairs: int, kinds: dict[str, int], source: dict[str, int], target: dict[str, int]
) -> None:
    manifest = Manifest(
        kind="pairs",
        options={"source_language": "en"},
        counts={"pairs": pairs, "source": {"pages": sum(kinds.values()), **kinds}},
        drops={
            **{f"source.{reason}": n for reason, n in source.items()},
            **{f"target.{reason}": n for reason, n in target.items()},
        },
    )
    found = {breakdown.title: breakdown for breakdown in breakdowns(manifest)}
    expected = {
        "Pages, source (en)": (sum(kinds.values()), kinds),
        "Articles, source (en)": (pairs + sum(source.values()), source),
        "Articles, target": (pairs + sum(target.values()), target),
    }
    assert set(found) == {title for title, (_, rows) in expected.items() if rows}
    for title, breakdown in found.items():
        total, rows = expected[title]
        assert breakdown.total == total
        assert len(breakdown.rows) == len(rows) + title.startswith("Articles")


def test_drops_without_a_side_are_of_pairs() -> None:
    manifest = Manifest(kind="pairs", options={}, counts={"pairs": 3}, drops={"near_duplicate": 1})
    (found,) = breakdowns(manifest)
    assert found.title == "Pairs"
    assert found.rows == (("in pairs", 3), ("near duplicate", 1))
    assert found.caption == "3 of 4 kept, 75.0%; the others by reason."


def test_a_manifest_that_says_little() -> None:
    assert breakdowns(Manifest(kind="pairs", options={}, counts={"pairs": 3})) == []

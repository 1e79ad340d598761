"""The numbers of a report against numbers that are counted in another way."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_pairs import make_pair

from megatron_crossic.data.records import Document, Pair
from megatron_crossic.inspection.pairs.charts import MOST_BARS, length_charts, ratio_charts
from megatron_crossic.inspection.pairs.log_histogram import STEPS, LogHistogram
from megatron_crossic.inspection.pairs.scripts import NO_SCRIPT, main_script
from megatron_crossic.inspection.pairs.statistics import PairStatistics, Repeats

NUMBERS = st.lists(st.floats(1e-4, 1e8), min_size=1, max_size=60)


def histogram(numbers: list[float]) -> LogHistogram:
    found = LogHistogram()
    for number in numbers:
        found.add(number)
    return found


@given(NUMBERS, st.floats(0, 1))
def test_a_quantile_is_a_number_of_the_list_to_half_a_bin(
    numbers: list[float], share: float
) -> None:
    exact = sorted(numbers)[max(1, math.ceil(share * len(numbers))) - 1]
    found = histogram(numbers).quantile(share)
    assert found is not None
    assert abs(math.log2(found / exact)) <= 0.5 / STEPS + 1e-9


@given(NUMBERS, st.sampled_from([1, 2, 4, 16, STEPS]))
def test_coarse_bins_hold_what_falls_into_them(numbers: list[float], steps: int) -> None:
    bins = [math.floor(math.log2(number) * steps) for number in numbers]
    assert histogram(numbers).coarse(steps) == {i: bins.count(i) for i in set(bins)}


def test_quantiles_of_nothing() -> None:
    assert LogHistogram().quantile(0.5) is None


@given(st.lists(st.text(max_size=2)))
def test_repeats_are_all_but_the_first_of_each(texts: list[str]) -> None:
    repeats = Repeats()
    for text in texts:
        repeats.add(text)
    assert repeats.count() == len(texts) - len(set(texts))


def count(*pairs: Pair) -> PairStatistics:
    statistics = PairStatistics(short_characters=10)
    for pair in pairs:
        statistics.add(pair)
    return statistics


def test_a_file_one_can_count_by_eye() -> None:
    statistics = count(
        make_pair("A", "x" * 100, "y" * 50),
        make_pair("A", "x" * 100, "y" * 50),  # a repeated pair; titles "A" and "A"
        make_pair("b", "short", ""),
        make_pair("c", "x" * 100, "x" * 100),
    )
    english, spanish = statistics.languages["en"], statistics.languages["es"]
    sides = statistics.sides["en", "es"]
    assert (statistics.num_pairs, statistics.num_documents) == (4, 8)
    assert statistics.pairs.count() == 1
    assert (english.num_characters, english.num_short, english.num_empty) == (305, 1, 0)
    assert (spanish.num_characters, spanish.num_short, spanish.num_empty) == (200, 1, 1)
    assert (english.texts.count(), spanish.texts.count()) == (2, 1)
    assert (english.longest, english.lengths.total, spanish.lengths.total) == (100, 4, 3)
    assert (sides.num_same_title, sides.num_same_text, sides.num_one_empty) == (2, 1, 1)
    assert sides.num_same_script == 3
    assert sides.ratios.coarse(1) == {-1: 2, 0: 1}


@pytest.mark.parametrize(("length", "is_short"), [(0, 1), (9, 1), (10, 0), (11, 0)])
def test_short_is_below_the_limit(length: int, is_short: int) -> None:
    assert count(make_pair("p", "x" * length, "y")).languages["en"].num_short == is_short


def test_several_targets_and_none() -> None:
    documents = [Document(language=code, title=code, text="abc") for code in ("en", "ar", "ja")]
    many = Pair(id="m", source=documents[0], targets=tuple(documents[1:]))
    alone = Pair(id="a", source=documents[0], targets=())
    statistics = count(many, alone)
    assert list(statistics.sides) == [("en", "ar"), ("en", "ja")]
    assert [found.num_documents for found in statistics.languages.values()] == [2, 1, 1]
    assert statistics.num_documents == 4


LENGTHS = st.tuples(st.integers(0, 3000), st.integers(0, 3000))


@given(st.lists(LENGTHS, min_size=1, max_size=30))
def test_bars_hold_all_that_was_counted(lengths: list[tuple[int, int]]) -> None:
    statistics = count(*(make_pair("p", "x" * a, "y" * b) for a, b in lengths))
    for position, chart in enumerate(length_charts(statistics)):
        assert sum(bar.count for bar in chart.bars) == sum(1 for pair in lengths if pair[position])
    assert len({len(chart.bars) for chart in length_charts(statistics)}) <= 1  # one range for all
    charts = ratio_charts(statistics)
    with_ratio = sum(1 for a, b in lengths if a and b)
    assert len(charts) == (with_ratio > 0)
    for chart in charts:
        assert sum(bar.count for bar in chart.bars) == with_ratio
        assert len(chart.bars) <= MOST_BARS


def test_ratios_beyond_the_axis_are_called_so() -> None:
    within, beyond = make_pair("p", "x" * 100, "y" * 50), make_pair("p", "x", "y" * 99)
    assert "beyond" not in ratio_charts(count(within))[0].caption
    assert "beyond 1/16 and 16" in ratio_charts(count(within, beyond))[0].caption


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("Latin", "Größe, naïve café — 123"),
        ("Arabic", "برلين هي عاصمة ألمانيا"),
        ("Thai", "กรุงเทพมหานคร"),
        ("Hangul", "서울은 대한민국의 수도이다"),
        ("Japanese", "東京は日本の首都である"),
        ("Japanese", "カタカナ"),
        ("Han", "北京是中华人民共和国的首都"),
        ("Cyrillic", "Москва — столица"),
        ("Devanagari", "नई दिल्ली"),
        ("Arabic", "See Power BI Desktop: برلين هي عاصمة"),
        ("Latin", "The word برلين is Arabic for the German capital city of Berlin"),
        (NO_SCRIPT, "123 … \U0010ffff \ud800"),
        (NO_SCRIPT, ""),
    ],
)
def test_scripts(script: str, text: str) -> None:
    assert main_script(text) == script
    assert main_script(text * 1000) == script

"""The arithmetic of made-up wikis: every page has its place, every link its known end."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_pages import ENGLISH, THAI
from synthetic_pages import Wiki, title_words
from synthetic_plan import NOT_LINKED, SCENARIOS, make_plan, truth
from synthetic_texts import Letters

from megatron_crossic.errors import ConfigError

LETTERS = Letters(pairs=tuple(a + b for a in "bdfgklmn" for b in "aeiouyxw"))


def make_wiki(language: str, articles: int, redirects: int, others: int, *, seed: int = 1) -> Wiki:
    return Wiki(
        language=language,
        seed=seed,
        num_articles=articles,
        num_redirects=redirects,
        num_others=others,
        letters=LETTERS,
        words=title_words(ENGLISH if language == "en" else THAI),
    )


@settings(max_examples=30)
@given(st.integers(1, 400), st.integers(0, 400), st.integers(1, 400), st.integers(0, 99))
def test_every_page_has_one_place(articles: int, redirects: int, others: int, seed: int) -> None:
    wiki = make_wiki("th", articles, redirects, others, seed=seed)
    numbers = [wiki.number_at(place) for place in range(wiki.num_pages)]
    assert sorted(numbers) == list(range(wiki.num_pages))
    assert [wiki.place_of(number) for number in numbers] == list(range(wiki.num_pages))
    ids = [wiki.id_at(place) for place in range(wiki.num_pages)]
    assert ids == sorted(set(ids))
    assert len({wiki.title(number) for number in numbers}) == wiki.num_pages
    assert sum(wiki.kinds().values()) == 2 * wiki.num_pages


@settings(max_examples=30)
@given(st.integers(60, 300), st.integers(0, 200), st.floats(0.5, 1))
def test_each_scenario_leads_where_it_says(num: int, more: int, share: float) -> None:
    """A walk over titles alone, without any of our readers."""
    source = make_wiki("en", num + more, num + more, 50)
    plan = make_plan(source=source, target=make_wiki("th", num, 20, 10), linked_share=share)
    articles = {source.title(n): n for n in range(source.num_articles)}
    redirects = {
        source.title(n): plan.redirect(source, n).title
        for n in range(source.num_articles, source.num_articles + source.num_redirects)
    }
    ends = {}
    for article in range(num):
        name, i = plan.scenario(article)
        assert 0 <= i < plan.counts.get(name, num)
        title = plan.linked_title(article).replace("_", " ").split("#")[0]
        title = title[:1].upper() + title[1:]
        num_steps = 0
        while title in redirects and num_steps < 9:
            title = redirects[title]
            num_steps += 1
        ends[article] = articles.get(title)
        expected = 9 if name == "to_redirect_loop" else None
        if name != NOT_LINKED:
            assert num_steps == (expected or SCENARIOS[name].num_redirects)
            assert (ends[article] is None) == name.startswith("to_") or name == "to_section"
            assert not SCENARIOS[name].consumes or ends[article] == article
    told: Any = truth(plan)
    assert sum(told["scenarios"].values()) == int(num * share)
    for side, wiki in (("source", source), ("target", plan.target)):
        drops = [n for reason, n in told["drops"].items() if reason.startswith(side)]
        assert told["pairs"] + sum(drops) == wiki.num_articles


def test_too_few_pages_for_all_scenarios_are_refused() -> None:
    target = make_wiki("th", 40, 9, 9)
    with pytest.raises(ConfigError, match="linked target articles must be at least .* got 8 with"):
        make_plan(source=make_wiki("en", 90, 90, 9), target=target, linked_share=0.2)
    with pytest.raises(ConfigError, match="source wiki must have at least 10 redirects, got 3"):
        make_plan(source=make_wiki("en", 90, 3, 9), target=target, linked_share=0.9)

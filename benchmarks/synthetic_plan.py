"""Which pages two made-up wikis have, how they link, and what must become of them.

    target article t  ─ langlinks row ─►  source article t, for the first `num_consumed` of them
                      ─ in one of `SCENARIOS`: by its title, through redirects, to nothing, …

The source article of a pair has the target article's number, so the truth is a sum over scenarios.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from synthetic_pages import Wiki

from megatron_crossic.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """One way in which a target article leads to the source wiki."""

    weight: float
    """Of the linked articles; the first scenario gets what is left."""
    num_redirects: int = 0
    """Redirects of the source wiki made for each article."""
    source_reason: str = ""
    """What its source article is dropped for; with a source article and no reason: a pair."""
    target_reason: str = ""
    consumes: bool = True
    """Whether it has a source article of its own; if so the scenarios before it have, too."""


UNUSABLE = "partner_unusable"
EMPTY = "empty_after_cleaning"
SCENARIOS: Mapping[str, Scenario] = {
    "by_title": Scenario(weight=0),
    "by_other_spelling": Scenario(weight=0.03),  # `new_York`
    "disambiguation": Scenario(weight=0.03),  # both pages are
    "by_redirect": Scenario(weight=0.06, num_redirects=1),
    "by_redirect_chain": Scenario(weight=0.01, num_redirects=3),
    "by_redirect_with_fragment": Scenario(
        weight=0.01, num_redirects=1, target_reason="redirect_to_section", consumes=False
    ),
    "source_is_empty": Scenario(weight=0.004, source_reason=EMPTY, target_reason=UNUSABLE),
    "target_is_empty": Scenario(weight=0.004, source_reason=UNUSABLE, target_reason=EMPTY),
    # Those that follow lead to a source article of `by_title` or to none.
    "second_to_one": Scenario(weight=0.01, target_reason="duplicate_partner", consumes=False),
    "second_by_redirect": Scenario(
        weight=0.01, num_redirects=1, target_reason="duplicate_partner", consumes=False
    ),
    "to_section": Scenario(weight=0.01, target_reason="link_to_section", consumes=False),
    "to_missing": Scenario(weight=0.03, target_reason="partner_not_in_dump", consumes=False),
    "to_other_namespace": Scenario(
        weight=0.004, target_reason="link_to_other_namespace", consumes=False
    ),
    "to_redirect_loop": Scenario(
        weight=0.003, num_redirects=2, target_reason="redirect_loop", consumes=False
    ),
    "to_redirect_to_missing": Scenario(
        weight=0.005,
        num_redirects=1,
        target_reason="redirect_target_not_in_dump",
        consumes=False,
    ),
}
NOT_LINKED = "not_linked"


@dataclass(frozen=True, kw_only=True, slots=True)
class RedirectTo:
    """Where a redirect leads."""

    title: str
    fragment: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Two wikis and the links between them."""

    source: Wiki
    target: Wiki
    counts: Mapping[str, int]
    """Target articles by scenario, in the order of `SCENARIOS`."""
    starts: tuple[int, ...]
    """First target article of each scenario, and the first that is not linked."""
    redirect_starts: tuple[int, ...]
    """First source redirect (counted from 0) of each scenario, and the first of no scenario."""

    @property
    def num_consumed(self) -> int:
        return sum(n for name, n in self.counts.items() if SCENARIOS[name].consumes)

    def scenario(self, article: int) -> tuple[str, int]:
        """The scenario of a target article and its number in there."""
        i = bisect_right(self.starts, article) - 1
        name = [*SCENARIOS, NOT_LINKED][i]
        return name, article - self.starts[i]

    def source_scenario(self, article: int) -> str:
        return self.scenario(article)[0] if article < self.num_consumed else NOT_LINKED

    def linked_title(self, article: int) -> str:
        """What the langlinks row of a target article says; empty where it has none."""
        name, i = self.scenario(article)
        if name == NOT_LINKED:
            return ""
        if SCENARIOS[name].num_redirects:
            return self.source.title(self._redirect(name, i))
        if name == "by_other_spelling":
            title = self.source.title(article).replace(" ", "_")
            return title[0].lower() + title[1:]
        if name == "to_missing":
            return self.source.title(self.source.num_pages + i)
        if name == "to_other_namespace":
            return self.source.title(self.source.num_pages - self.source.num_others + i)
        if SCENARIOS[name].consumes:
            return self.source.title(article)
        title = self.source.title(i % self.counts["by_title"])
        return f"{title}#History" if name == "to_section" else title

    def _redirect(self, name: str, i: int) -> int:
        """The page that scenario `name` links to in its i-th article."""
        index = list(SCENARIOS).index(name)
        first = self.source.num_articles + self.redirect_starts[index]
        return first + i * SCENARIOS[name].num_redirects

    def redirect(self, wiki: Wiki, number: int) -> RedirectTo:
        """Where the redirect `number` of one of the wikis leads."""
        index = number - wiki.num_articles
        if wiki is self.target or index >= self.redirect_starts[-1]:
            return _any_redirect(wiki, number)
        kind = bisect_right(self.redirect_starts, index) - 1
        name = list(SCENARIOS)[kind]
        per_article = SCENARIOS[name].num_redirects
        i, step = divmod(index - self.redirect_starts[kind], per_article)
        if name == "to_redirect_loop":
            return RedirectTo(title=wiki.title(number + 1 - 2 * step))
        if name == "to_redirect_to_missing":
            return RedirectTo(title=wiki.title(2 * wiki.num_pages + i))
        if step + 1 < per_article:
            return RedirectTo(title=wiki.title(number + 1))
        if name == "second_by_redirect":
            return RedirectTo(title=wiki.title(i % self.counts["by_title"]))
        fragment = "History" if name == "by_redirect_with_fragment" else ""
        return RedirectTo(title=wiki.title(self.starts[kind] + i), fragment=fragment)


def _any_redirect(wiki: Wiki, number: int) -> RedirectTo:
    """Mostly to an article, at times to a section, to another redirect or to nothing."""
    random = wiki.random(number)
    chance, article = random.random(), random.randrange(wiki.num_articles)
    if chance < 0.02:
        return RedirectTo(title=wiki.title(3 * wiki.num_pages + article))
    if chance < 0.05:
        other = wiki.num_articles + random.randrange(wiki.num_redirects)
        return RedirectTo(title=wiki.title(other))
    return RedirectTo(title=wiki.title(article), fragment="Notes" if chance < 0.13 else "")


def make_plan(*, source: Wiki, target: Wiki, linked_share: float) -> Plan:
    """Spread the scenarios over the target's articles; every one of them occurs."""
    num_linked = int(target.num_articles * linked_share)
    counts = {name: max(1, int(num_linked * s.weight)) for name, s in SCENARIOS.items()}
    counts["by_title"] = num_linked - (sum(counts.values()) - counts["by_title"])
    starts, redirect_starts = [0], [0]
    for name, n in counts.items():
        starts.append(starts[-1] + n)
        redirect_starts.append(redirect_starts[-1] + n * SCENARIOS[name].num_redirects)
    plan = Plan(
        source=source,
        target=target,
        counts=counts,
        starts=tuple(starts),
        redirect_starts=tuple(redirect_starts),
    )
    if counts["by_title"] < 1 or plan.num_consumed > source.num_articles:
        raise ConfigError(
            f"linked target articles must be at least {2 * len(SCENARIOS)} and at most the source "
            f"articles, got {num_linked} with {source.num_articles} source articles. Change "
            "--source-articles, --target-articles or --linked-share."
        )
    if redirect_starts[-1] > source.num_redirects:
        raise ConfigError(
            f"source wiki must have at least {redirect_starts[-1]} redirects, got "
            f"{source.num_redirects}. Raise --source-articles or lower --linked-share."
        )
    return plan


def truth(plan: Plan) -> dict[str, object]:
    """What a tool that joins the two wikis must count."""
    source, target = Counter[str](), Counter[str]()
    pairs = 0
    for name, n in plan.counts.items():
        scenario = SCENARIOS[name]
        pairs += n * (scenario.consumes and not scenario.source_reason)
        source[scenario.source_reason] += n
        target[scenario.target_reason] += n
    source["no_partner"] = plan.source.num_articles - plan.num_consumed
    target["no_partner"] = plan.target.num_articles - sum(plan.counts.values())
    drops = {
        f"{side}.{reason}": n
        for side, found in (("source", source), ("target", target))
        for reason, n in found.items()
        if reason and n
    }
    kinds = {"source": plan.source.kinds(), "target": plan.target.kinds()}
    return {"pairs": pairs, "drops": drops, "counts": kinds, "scenarios": dict(plan.counts)}

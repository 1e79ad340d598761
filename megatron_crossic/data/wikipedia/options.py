"""What the user decides about pairs made from Wikipedia dumps."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from megatron_crossic.data.records import LANGUAGES
from megatron_crossic.data.wikipedia.kinds import PageKind
from megatron_crossic.errors import ConfigError

SideName = Literal["source", "target"]


def check_sides(
    *, source_language: str, target_language: str, langlinks_of: str, min_characters: int
) -> None:
    """What every route from Wikipedia must have right; raises `ConfigError`."""
    for name, code in (
        ("source_language", source_language),
        ("target_language", target_language),
    ):
        if code not in LANGUAGES:
            raise ConfigError(
                f"{name} must be a two-letter ISO 639-1 language code, got {code!r}. "
                "Use for example ar, en, es, ja, ko, pt or th."
            )
    if source_language == target_language:
        raise ConfigError(
            f"target_language must differ from source_language, got {target_language} "
            "for both. Choose another language."
        )
    if langlinks_of not in get_args(SideName):
        raise ConfigError(
            f"langlinks_of must be source or target, got {langlinks_of!r}. "
            "Name the wiki that published the langlinks dump."
        )
    if min_characters < 1:
        raise ConfigError(
            f"min_characters must be at least 1, got {min_characters}. "
            "Use 1 to keep every article that is not empty."
        )


def both_tables(page: Path | None, redirect: Path | None) -> tuple[Path, Path] | None:
    """The page and redirect tables of a wiki, or None without them; one alone is a mistake."""
    if page is not None and redirect is not None:
        return page, redirect
    if given := page or redirect:
        raise ConfigError(
            f"page and redirect tables must be given together, got only {given}. "
            "Give both of that wiki or neither."
        )
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class WikipediaPairsOptions:
    """What goes in and what counts as a usable article."""

    source_dumps: tuple[Path, ...]
    """The parts of the source wiki's XML export, in any order."""
    target_dumps: tuple[Path, ...]
    langlinks: Path
    """SQL dump of the langlinks table."""
    source_language: str = "en"
    """ISO 639-1, and the code of the wiki; what `<siteinfo>` says is not looked at."""
    target_language: str
    langlinks_of: SideName = "target"
    """The wiki that published `langlinks`."""
    follow_sections: bool = False
    """Whether a redirect to a section stands for the article that has the section. It is then
    paired with an article about more than its topic."""
    source_tables: tuple[Path, Path] | None = None
    """SQL dumps of the source wiki's page and redirect tables; None scans the dump instead."""
    target_tables: tuple[Path, Path] | None = None
    min_characters: int = 1
    """An article whose clean text is shorter is dropped, with its partner."""
    keep_headings: bool = True
    """Keep section headings as paragraphs of their own."""
    max_page_characters: int = 4 << 20
    """A page of more wikitext is dropped: MediaWiki itself takes none above 2 MiB."""
    drop_kinds: tuple[PageKind, ...] = ()
    """Kinds of pages to leave out, with their partners: `disambiguation`, `list`, `stub`."""
    page_seconds: float = 60.0
    """A page that takes longer to clean is dropped. It depends on the machine which ones do."""
    licence: str = "CC BY-SA 4.0"
    """Licence of the texts, noted in every pair's provenance."""

    def __post_init__(self) -> None:
        check_sides(
            source_language=self.source_language,
            target_language=self.target_language,
            langlinks_of=self.langlinks_of,
            min_characters=self.min_characters,
        )
        for kind in self.drop_kinds:
            if kind not in get_args(PageKind):
                raise ConfigError(
                    f"drop_kinds must be of {', '.join(get_args(PageKind))}, got {kind!r}. "
                    "Name some of those, or none."
                )
        for name in ("max_page_characters", "page_seconds"):
            if (limit := getattr(self, name)) <= 0:
                raise ConfigError(f"{name} must be positive, got {limit}. Give a larger limit.")
        if not self.source_dumps or not self.target_dumps:
            raise ConfigError(
                f"dumps must be given for both sides, got {len(self.source_dumps)} source and "
                f"{len(self.target_dumps)} target files. Name at least one of each."
            )

    def language(self, side: SideName) -> str:
        return self.source_language if side == "source" else self.target_language

    def dumps(self, side: SideName) -> tuple[Path, ...]:
        return self.source_dumps if side == "source" else self.target_dumps

    def tables(self, side: SideName) -> tuple[Path, Path] | None:
        return self.source_tables if side == "source" else self.target_tables

    def inputs(self) -> list[Path]:
        """All files that are read."""
        tables = [*(self.source_tables or ()), *(self.target_tables or ())]
        return [*self.source_dumps, *self.target_dumps, self.langlinks, *tables]

    def for_manifest(self) -> dict[str, Any]:
        """The options with file names instead of paths."""
        return {name: _without_folders(value) for name, value in asdict(self).items()}


def _without_folders(value: Any) -> Any:
    if isinstance(value, Path):
        return value.name
    return list(map(_without_folders, value)) if isinstance(value, tuple) else value

"""What the user decides about pairs made from Wikipedia dumps."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from megatron_crossic.data.records import LANGUAGES
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
    min_characters: int = 1
    """An article whose clean text is shorter is dropped, with its partner."""
    keep_headings: bool = True
    """Keep section headings as paragraphs of their own."""
    licence: str = "CC BY-SA 4.0"
    """Licence of the texts, noted in every pair's provenance."""

    def __post_init__(self) -> None:
        check_sides(
            source_language=self.source_language,
            target_language=self.target_language,
            langlinks_of=self.langlinks_of,
            min_characters=self.min_characters,
        )
        if not self.source_dumps or not self.target_dumps:
            raise ConfigError(
                f"dumps must be given for both sides, got {len(self.source_dumps)} source and "
                f"{len(self.target_dumps)} target files. Name at least one of each."
            )

    def for_manifest(self) -> dict[str, Any]:
        """The options with file names instead of paths."""
        return {
            **asdict(self),
            "source_dumps": [path.name for path in self.source_dumps],
            "target_dumps": [path.name for path in self.target_dumps],
            "langlinks": self.langlinks.name,
        }

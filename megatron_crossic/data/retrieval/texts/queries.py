"""What is asked for a document: its title, its keywords, or all of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Self

from megatron_crossic.data.records import Document
from megatron_crossic.data.retrieval.texts.keywords import KeywordModel

View = Literal["title", "keywords", "document"]


@dataclass(frozen=True, kw_only=True, slots=True)
class QueryTexts:
    """Makes queries of documents."""

    models: Mapping[str, KeywordModel]
    """By language; those of documents that are asked for `keywords`."""
    num_keywords: int
    document_characters: int
    """So much of a document is read for `keywords` and `document`."""

    @classmethod
    def of(
        cls, documents: Iterable[Document], *, num_keywords: int, document_characters: int
    ) -> Self:
        """With keyword models from these documents; none of them, no keywords."""
        texts: dict[str, list[str]] = {}
        for document in documents:
            text = _whole(document, document_characters)
            texts.setdefault(document.language, []).append(text)
        models = {code: KeywordModel.of(own, language=code) for code, own in texts.items()}
        return cls(
            models=models, num_keywords=num_keywords, document_characters=document_characters
        )

    def query(self, view: str, document: Document) -> str:
        """The query of one view; empty where the document has nothing of the kind."""
        if view == "title":
            return document.title
        text = _whole(document, self.document_characters)
        if view == "document":
            return text
        # A language that the first documents do not have: all words are taken for equally frequent.
        model = self.models.get(document.language) or KeywordModel.of(
            [], language=document.language
        )
        return " ".join(model.keywords(text, self.num_keywords))


def _whole(document: Document, characters: int) -> str:
    return f"{document.title}\n{document.text}"[:characters]

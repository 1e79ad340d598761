"""Wikitext to clean text: paragraphs separated by one blank line, NFC, without any markup.

Kept: running text, labels of links, headings (as paragraphs of their own, they name the topic of
what follows), list items (a line each, `- ` or `1. ` in front), quotations, formulas as `$LaTeX$`,
words that templates carry. Left out: tables, boxes, notes, pictures with their captions,
categories, hatnotes, every heading without text below it, and at the end of the article sections
that only list sources or links (`References`, `See also`, … in seven languages).
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from megatron_crossic.data.wikipedia.cleaning.addresses import drop_addresses
from megatron_crossic.data.wikipedia.cleaning.brackets import visible_parts
from megatron_crossic.data.wikipedia.cleaning.characters import plain_characters, unshield
from megatron_crossic.data.wikipedia.cleaning.elements import Elements
from megatron_crossic.data.wikipedia.cleaning.markup import (
    Section,
    drop_comments,
    drop_hatnotes,
    drop_quotes,
    drop_switches,
    drop_tables,
    show_title,
    split_sections,
)
from megatron_crossic.data.wikipedia.cleaning.render import Renderer
from megatron_crossic.data.wikipedia.cleaning.tidy import insert_formulas, to_paragraphs

# Sections at the end of an article that hold lists of sources and links, not text.
APPENDICES = frozenset(
    name.replace("_", " ")
    for name in """
    references notes footnotes citations sources external_links further_reading see_also
    notes_and_references references_and_notes explanatory_notes general_references works_cited
    المراجع مراجع المصادر مصادر وصلات_خارجية روابط_خارجية انظر_أيضا انظر_أيضًا انظر_أيضاً اقرأ_أيضا
    طالع_أيضا طالع_أيضًا هوامش الهوامش ملاحظات مراجع_وملاحظات معرض_صور
    referencias notas notas_y_referencias referencias_y_notas véase_también enlaces_externos fuentes
    bibliografía lecturas_adicionales lectura_adicional
    脚注 注釈 出典 注釈・出典 脚注・出典 出典・脚注 参考文献 関連項目 外部リンク 関連文献 参考資料
    각주 주석 출처 참고_문헌 참고문헌 같이_보기 외부_링크 바깥_고리 더_읽어보기 참고_자료 내용주
    referências notas_e_referências referências_e_notas ver_também ligações_externas bibliografia
    leitura_adicional leituras_adicionais fontes
    อ้างอิง แหล่งข้อมูลอื่น ดูเพิ่ม เชิงอรรถ หมายเหตุ รายการอ้างอิง บรรณานุกรม
    """.split()
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _CleanSection:
    level: int
    heading: str
    paragraphs: list[str]


def clean_wikitext(
    wikitext: str,
    *,
    language: str,
    keep_headings: bool = True,
    title: str = "",
    use_parser: bool = False,
) -> str:
    """The text of one article in `language`; empty where nothing is left.

    `title` is what `{{PAGENAME}}` shows, nothing where it is not known. `use_parser` sends
    everything through the parser, for comparison: the text is the same. Raises `DataError` where
    the wikitext is beyond the parser.
    """
    elements = Elements()
    stripped = elements.to_text(drop_comments(plain_characters(wikitext)))
    stripped = show_title(drop_switches(drop_tables(stripped)), title=title)
    renderer = Renderer(language=language, use_parser=use_parser)
    sections = [_clean(section, renderer) for section in _without_appendices(stripped)]
    blocks: list[str] = []
    for index, section in enumerate(sections):
        if keep_headings and section.heading and _has_text(sections, index):
            blocks.append(section.heading)
        blocks += section.paragraphs
    text = insert_formulas("\n\n".join(blocks), elements.formulas)
    return unicodedata.normalize("NFC", text)


def _without_appendices(wikitext: str) -> list[Section]:
    """All sections but the appendices at the end, with what is below their headings."""
    sections = list(split_sections(wikitext))
    end = len(sections)
    for index in range(len(sections) - 1, 0, -1):
        is_appendix = sections[index].heading.strip(" '\t:").casefold() in APPENDICES
        if is_appendix and sections[index].level <= 2:
            end = index
        elif sections[index].level <= 2 and sections[index].wikitext.strip():
            break
    return sections[:end]


def _clean(section: Section, renderer: Renderer) -> _CleanSection:
    return _CleanSection(
        level=section.level,
        heading=" ".join(_paragraphs(section.heading, renderer)),
        paragraphs=_paragraphs(drop_hatnotes(section), renderer),
    )


def _paragraphs(wikitext: str, renderer: Renderer) -> list[str]:
    parts = visible_parts(drop_quotes(drop_addresses(wikitext)), language=renderer.language)
    return to_paragraphs(unshield(renderer.render(parts)), language=renderer.language)


def _has_text(sections: Sequence[_CleanSection], index: int) -> bool:
    """Whether the section at `index` or one below it has text."""
    level = sections[index].level
    while not sections[index].paragraphs:
        index += 1
        if index == len(sections) or sections[index].level <= level:
            return False
    return True

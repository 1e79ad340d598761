"""Dumps with a few long pages, as the benchmarks of the wikipedia route want them."""

from itertools import islice
from pathlib import Path
from random import Random
from xml.sax.saxutils import escape

ENGLISH = (
    "river mountain old city through which people walk every morning before their work begins and "
    "where markets sell bread fish cloth salt under wooden roofs built long ago by masons from "
    "distant valleys who brought stone quarried near cold lakes without any paved road"
).split()
THAI = (
    "แม่น้ำ ภูเขา เมืองเก่า ผู้คน เดินทาง ทุกเช้า ก่อนงาน ตลาด ขายปลา ขนมปัง หลังคาไม้ สร้างขึ้น "
    "นานมาแล้ว โดยช่าง จากหุบเขา ห่างไกล ซึ่งนำหิน ใกล้ทะเลสาบ อันหนาวเย็น ไม่มีถนน ประเทศไทย"
).split()


def page_text(words: list[str], *, seed: int, num_sections: int = 4) -> str:
    """A page with a box, sections, a table with a blank line inside, notes and a category."""
    random = Random(seed)

    def prose(n: int) -> str:
        return f"{words[0].capitalize()} " + " ".join(random.choices(words, k=n)) + " 1987 and 42."

    sections = (
        f'== {words[i]} ==\n{prose(60)}<ref>A & B, "{words[i]}" 2004</ref>\n\n'
        f'{{| class="wikitable"\n! a\n\n|-\n| {prose(9)}\n|}}\n\n'
        f"=== {words[i + 1]} ===\n[[{words[2]} {words[3]}|{words[4]}]] {prose(40)}"
        for i in range(len(words) - 1)
    )
    return (
        f"{{{{Infobox\n| name = {words[5]}\n\n| year = 1850\n}}}}\n\n"
        f"''{words[6]}''' {prose(50)}\n\n"
        + "\n\n".join(islice(sections, num_sections))
        + f"\n\n== References ==\n{{{{reflist}}}}\n\n[[Category:{words[7]}]]"
    )


def write_real_pages(path: Path, words: list[str]) -> Path:
    """A dump of two such pages and a redirect."""
    pages = [(1, page_text(words, seed=1)), (2, page_text(words, seed=2, num_sections=9))]
    pages.append((3, "#REDIRECT [[Page 1]]"))
    xml = "".join(
        f"<page><title>Page {i}</title><ns>0</ns><id>{i}</id><revision><id>{i}</id>"
        f"<text>{escape(text)}</text></revision></page>"
        for i, text in pages
    )
    path.write_text(f"<mediawiki>{xml}</mediawiki>", encoding="utf-8")
    return path

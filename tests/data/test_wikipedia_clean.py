import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from megatron_crossic.data.wikipedia.cleaning.clean import clean_wikitext

# (language, wikitext, clean text)
EXAMPLES = [
    # links, style, pictures, categories, interwiki
    ("en", "'''Bees''' are [[insect]]s, ''see'' [[wasp|wasps]].", "Bees are insects, see wasps."),
    ("en", "[[File:A.jpg|thumb|A [[bee]] on {{lang|la|Apis}}]]Text.", "Text."),
    ("en", "[[Category:Bees| ]]\n[[fr:Abeille]]\nText [[:Category:Bees]].", "Text Category:Bees."),
    ("en", "The [[:fr:Abeille|French page]] and [[Moon (film)|]].", "The French page and Moon."),
    ("en", "the '''[[rock 'n' roll]]''' of l''''Atlas'''", "the rock 'n' roll of l'Atlas"),
    ("en", "See [https://example.org the site] or https://example.org.", "See the site or."),
    ("es", "[[Archivo:Puerta.jpg|miniatura|La [[puerta]]]]\nLa ''Puerta''.", "La Puerta."),
    ("es", "El [[río Spree|Spree]].[[Categoría:Ríos]][[Imagen:a]]", "El Spree."),
    ("ja", "[[ファイル:門.jpg|thumb|[[門]]の写真]]\n'''門'''は[[建物]]。", "門は建物。"),
    ("ja", "[[カテゴリ:門]][[Category:門]]門。[[画像:a]]", "門。"),
    ("ar", "[[ملف:باب.jpg|تصغير|صورة [[باب]]]]\n'''الباب''' [[مدخل]].", "الباب مدخل."),
    ("ar", "نص.[[تصنيف:أبواب]][[صورة:باب]]", "نص."),
    ("ko", "[[파일:문.jpg|섬네일|[[문]] 사진]]'''문'''은 [[건물]].[[분류:문]]", "문은 건물."),
    ("pt", "[[Imagem:Porta.jpg|esquerda]][[Ficheiro:b]]A [[porta]].[[Categoria:P]]", "A porta."),
    ("th", "[[ไฟล์:a.jpg|thumb|ประตู]]'''ประตู'''[[เมือง]][[หมวดหมู่:ประตู]]", "ประตูเมือง"),
    # templates that carry text, and those that do not
    ("en", "The bee, {{lang|la|Apis mellifera}}, is {{convert|2|mm|in|abbr=on}} long.",
     "The bee, Apis mellifera, is 2 mm long."),
    ("en", "{{convert|200|to|250|C|F}}, {{cvt|3|ft|6|in|m}}, {{convert|5|x|6|m2}}",
     "200 to 250 °C, 3 ft 6 in, 5 × 6 m²"),
    ("en", "{{nihongo|Tokyo|東京|Tōkyō|lead=yes}} and {{nihongo||畳|tatami}}",
     "Tokyo (東京, Tōkyō) and 畳, tatami"),
    ("en", "{{Short description|x}}{{Infobox bee\n| name = Bee\n| x = {{convert|1|m}}\n}}\nText.",
     "Text."),
    ("en", "Bees ({{IPAc-en|b|iː}}; {{lang-fr|abeille}}; {{cn}}) fly {{cn}}.",
     "Bees (abeille) fly."),
    ("en", "{{transliteration|ar|ALA|qahwa}}{{snd}}{{frac|1|2}}, {{formatnum:1234}}{{!}}",
     "qahwa – 1/2, 1234|"),
    ("en", "{{ill|Foo|fr|Bar}} {{as of|2018|5}} {{val|5.3|u=km}} {{nowrap|a {{small|b}}}}",
     "Foo As of May 2018 5.3 km a b"),
    ("en", "He said:{{quote|Words.|Author}}Then.", "He said:\n\nWords.\n\nThen."),
    ("es", "Del {{siglo|V|a|s}} al {{siglo|XIX}} en {{unidad|20|km}} ({{lang-de|Tor}}).",
     "Del siglo V a. C. al XIX en 20 km (Tor)."),
    ("ja", "'''ハナバチ'''（{{読み仮名|'''花蜂'''|はなばち}}、{{lang-en-short|bee}}）",
     "ハナバチ（花蜂（はなばち）、bee）"),
    ("ja", "{{仮リンク|蜂|en|Bee|label=ハチ}}と{{仮リンク|蜜|en|Honey}}。{{要出典|date=2020}}",
     "ハチと蜜。"),
    ("ja", "ミツバチ（{{要出典}}）、{{ふりがな|蜜|みつ}}（、1900年）。",
     "ミツバチ、蜜（みつ）（1900年）。"),
    ("ko", "벌({{llang|en|bee}}, {{문화어|x}})은", "벌(bee)은"),
    ("ar", "النحلة ({{lang|en|bee}}؛ {{IPA|x}}) حشرة", "النحلة (bee) حشرة"),
    ("pt", "No {{séc|XIX}} (em {{lang-de|Tor}}).", "No século XIX (em Tor)."),
    ("th", "ผึ้ง ({{lang-en|bee}}; {{IPA|x}})", "ผึ้ง (bee)"),
    # notes, comments, tables, galleries, switches
    ("en", "One.<ref name=a>{{cite|x}}</ref> Two.<ref name=\"a\" /> Three<ref>[[x|y]]</ref>.",
     "One. Two. Three."),
    ("en", "One.<ref>open [[x]] Two.\n\nThree.<ref>closed</ref> Four.",
     "One.open x Two.\n\nThree. Four."),
    ("en", "One<!-- [[hidden]] -->.\n<!-- alone -->\nStill one.\n\nTwo.<!-- open\n\nNo.",
     "One. Still one.\n\nTwo."),
    ("en", "Before.\n{|\n! a !! b\n|-\n| {{x\n|}}\nin a cell\n|\n{|\n| in\n|}\n|}\nAfter.",
     "Before.\n\nAfter."),
    ("en", "Before.\n{|\n|-\n| never ends\n\nAfter.", "Before.\n\nAfter."),
    ("en", "<gallery>\nFile:A.jpg|x\n</gallery>__NOTOC__Text.<references />", "Text."),
    ("es", "__SIN_TDC__Texto.{{listaref}}", "Texto."),
    # entities, elements, formulas
    ("en", "5&nbsp;km &ndash; a&#769; &lt;x&gt; &amp;amp;&#xD800;", "5 km – á <x> &amp;"),
    ("en", "H<sub>2</sub>O, 10<sup>-6</sup>, 5<sup>th</sup>, x<sup>n</sup>, <small>s</small>",
     "H2O, 10⁻⁶, 5th, xⁿ, s"),
    ("en", "So <math>f''(x) = \\frac{1}{x^{a_{b}}} , [[x]]</math> holds ( <math>n</math> ).",
     "So $f^{\\prime\\prime}(x) = \\frac{1}{x^{a_{b} } } , [ [x] ]$ holds ($n$)."),
    ("en", "<math>a &lt;b</math>, <math>a<b</math>", "$a < b$, $a< b$"),
    ("en", "<chem>H2O</chem> <nowiki>''not italic''</nowiki> <i style=\"display:none\">x</i>y",
     "$\\ce{H2O}$ ''not italic'' y"),
    ("ja", "<ruby>蜂<rp>(</rp><rt>はち</rt><rp>)</rp></ruby>は", "蜂(はち)は"),
    ("en", "<poem>\nfirst\nsecond\n</poem>", "first\nsecond"),
    ("en", "a<br />b<br>c<br/><br/>d", "a\nb\nc\n\nd"),
    # lines and lists
    ("en", "Wrapped\nline.\n\n\n\nNext  paragraph. ", "Wrapped line.\n\nNext paragraph."),
    ("ja", "行が\n続く。\n\n次", "行が続く。\n\n次"),
    ("en", "Parts:\n* one\n** [[two]]\n*\n* {{x}}\n# first\n# second\nAfter.",
     "Parts:\n- one\n- two\n1. first\n2. second\nAfter."),
    ("ja", "* {{flagicon|USA}} - [[LA]]\n* {{x}}, [[NY]]", "- LA\n- NY"),
    ("en", "The ninth\n{{x}}, [[Guru]]", "The ninth, Guru"),
    ("en", "; Queen : lays eggs\n; Drone\n: male\n:: <math>x</math>\nwhere",
     "Queen: lays eggs\nDrone\nmale\n$x$\nwhere"),
    ("en", "Above.\n----\nBelow.", "Above.\n\nBelow."),
    # what is broken in the wild
    ("en", "A {{broken [[b]] text.", "A broken b text."),
    ("en", "A [[broken link and ]] text }} here.", "A broken link and text here."),
    ("en", "[[File:A.jpg|thumb|never closed\nText.", "Text."),
    ("en", "| cell || cell\n|-\n|}\nText.", "Text."),
    ("en", "<div class=x>Text</span>.", "Text."),
    ("en", "", ""),
    ("en", "{{only|boxes}}\n[[Category:X]]", ""),
]  # fmt: skip


@pytest.mark.parametrize(("language", "wikitext", "expected"), EXAMPLES)
def test_examples(language: str, wikitext: str, expected: str) -> None:
    assert clean_wikitext(wikitext, language=language) == expected


ARTICLE = """Lead.

== History ==
=== Early ===
Old.
=== Empty ===
{{main|x}}
== Gallery ==
<gallery>File:A.jpg</gallery>
== Works ==
* Book
== See also ==
* [[Link]]
=== More ===
* [[Link]]
== References ==
{{reflist}}
"""


def test_headings_stay_where_text_follows_and_appendices_go() -> None:
    text = clean_wikitext(ARTICLE, language="en")
    assert text.split("\n\n") == ["Lead.", "History", "Early", "Old.", "Works", "- Book"]


def test_headings_can_be_left_out() -> None:
    text = clean_wikitext(ARTICLE, language="en", keep_headings=False)
    assert text.split("\n\n") == ["Lead.", "Old.", "- Book"]


@pytest.mark.parametrize(
    "heading",
    ["External links", "Véase también", "脚注", "각주", "المراجع", "Ligações externas", "อ้างอิง"],
)
def test_appendices_go_in_every_language_but_only_at_the_end(heading: str) -> None:
    appendix = f"== {heading} ==\n* A source.\n"
    assert clean_wikitext(f"Text.\n{appendix}", language="en") == "Text."
    inside = clean_wikitext(f"Text.\n{appendix}== After ==\nMore.", language="en")
    assert inside.split("\n\n") == ["Text.", heading, "- A source.", "After", "More."]


def test_a_subsection_of_text_is_no_appendix() -> None:
    text = clean_wikitext("Text.\n== Music ==\n=== Notes ===\nA to G.", language="en")
    assert text.split("\n\n") == ["Text.", "Music", "Notes", "A to G."]


MARKUP = """
    [[ ]] {{ }} {{{ }}} {| |} |- | ! '' ''' '''''' <ref> </ref> <ref/> <!-- --> == <math> </math>
    <nowiki> </nowiki> <div> </div> [[File: thumb| |thumb Category: lang|la| convert| &nbsp; &#123;
    &#91;&#91; &#xD800; * # ; : ---- __NOTOC__ ( ) （ ） , 、 . a Bé 蜂 نحل ผึ้ง 벌 <br> <gallery>
    </gallery> http://x.y [http:// {{!}} {{quote| <poem> </poem> \u200b e\u0301 \ue000
    """
PIECES = st.sampled_from([*MARKUP.split(), "\n", "\n\n", " "])
RESIDUE = re.compile(r"\[\[|\]\]|\{\{|\}\}|\|thumb|<ref|'''|[ \t]$|^[ \t]|\n{3}", re.MULTILINE)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join))
@example("[[File:a|thumb|[[b]] {{c")
def test_no_soup_of_markup_leaves_residue(wikitext: str) -> None:
    text = clean_wikitext(wikitext, language="en")
    assert RESIDUE.search(text) is None
    assert text == text.strip()
    assert unicodedata.is_normalized("NFC", text)


@given(st.lists(st.text("abcdefghijklmnopqrstuvwxyzéñ蜂の", min_size=1, max_size=20), max_size=5))
def test_plain_paragraphs_pass_unchanged(words: list[str]) -> None:
    text = unicodedata.normalize("NFC", "\n\n".join(words))
    assert clean_wikitext(text, language="es") == text

"""Templates that carry words of the sentence they stand in, as a table: names -> what shows.

Names are separated by blanks, a blank inside a name is written `_`. They are compared without
case. One table serves the wikis of all languages: a name means the same wherever it is used.
"""

from collections.abc import Mapping

from megatron_crossic.data.wikipedia.cleaning.template_dates import as_of, circa, date_of, years
from megatron_crossic.data.wikipedia.cleaning.template_numbers import (
    convert,
    currency,
    fraction,
    height,
    measured,
    money,
    number_with_unit,
    ordinal,
    power_of_ten,
)
from megatron_crossic.data.wikipedia.cleaning.template_rules import (
    Rule,
    before_word,
    between,
    block,
    columns,
    joined,
    last_positional,
    lines,
    literal,
    music,
    nihongo,
    nihongo3,
    numbered_lines,
    ship,
    siglo,
    text_of,
    with_reading,
)

WORDS: Mapping[str, Rule] = {
    # words in another language
    "lang lenguaje لغة idioma langue 언어 langx lang-x native_name native_phrase": text_of(
        2, "text"
    ),
    "rtl-lang ltr-lang wikt-lang nihongo_foot": text_of(2, 1),
    "llang": text_of(2, 1),
    "transliteration transl tlit translit rtgs sname snamei": last_positional,
    "ill link-interwiki interlanguage_link interlanguage_link_multi ill2 enlace_interlingüe "
    "仮リンク 日本語版にない記事リンク 임시링크 임시_링크 ลิงก์ข้ามภาษา": text_of("lt", "label", 1),
    "وصلة_إنترويكي وإو": text_of("نص", "عر", 1),
    "إنجليزية إنج ألمانية ألم فرنسية فرن إسبانية إسب إيطالية إيط لاتينية لات روسية روس تركية ترك "
    "فارسية فار عبرية عبر يونانية يون صينية صين يابانية ياب": text_of(1),
    "본명 한자 한글 한국어 작게 크게": text_of(1),
    "linktext": joined(""),
    "zh": text_of("c", "t", "s", "p", 1),
    "korean": text_of("hangul", 1),
    "hebrew grc gr nastaliq nq script/hebrew script/arabic script/nastaliq nihongo2": text_of(1),
    "nihongo nihongo_core nihongo_krt nihongo4 นิฮงโงะ ญี่ปุ่น": nihongo,
    "nihongo3": nihongo3,
    "読み仮名 読み仮名_ruby不使用 ふりがな ruby ルビ ruby-ja": with_reading("（", "）"),
    "윗주": with_reading("(", ")"),
    # words with a look
    "nowrap nobr nobreak nowraplinks no_wrap small smaller big bigger larger large em strong bold "
    "b italic i mono monospace code kbd var nobold noitalic smallcaps sc versalete strikethrough "
    "underline u abbr abbrlink tooltip hover_title vanchor visible_anchor math mvar unicode "
    "polytonic script sub resize versalita abreviatura center centre align_center left proper_name "
    "not_a_typo typo as_written noruby semlinha pequeno tamanho صغير كبير เล็ก": text_of(1, "text"),
    "sic": joined(""),
    "要出典範囲 要追加記述範囲 cp932フォント jis2004フォント 補助漢字フォント 拡張漢字 半角 "
    "نص_عربي علم": text_of(1),
    "color colour font_color fontcolor fg 색 글씨_색 اللون": text_of(2, "text", 1),
    "범례": text_of(2),
    "angbr": between("⟨", "⟩"),
    "harvtxt harvcoltxt": lambda arguments: f"{arguments.first(1)} ({arguments.first(2)})",
    # names beside flags
    "flag flagu flagcountry flagg country bandera2 국기나라 국기 ธง ธงชาติ": text_of("name", 1),
    "flagathlete flagmedalist flagioc2athlete": text_of(1),
    # ships
    "ship": ship(""),
    **{name: ship(name.upper()) for name in "uss hms ss mv rms hmas hmcs usns hmt rfa".split()},
}

NUMBERS: Mapping[str, Rule] = {
    "convert cvt convertir converter แปลงหน่วย 단위_변환 تحويل": convert,
    "val": measured,
    "num unidad unité unit dunit وحدة": number_with_unit,
    "height": height,
    "formatnum fmtn formatar_número nts ntsh nf núm número": text_of(1),
    "gaps": joined(" "),
    "ratio": joined(":"),
    "frac fraction sfrac fracción fração 分数": fraction,
    "ordinal nth": ordinal,
    "e ×10^ x10^": lambda arguments: f"×{power_of_ten(arguments.first(1))}",
    "10^": lambda arguments: power_of_ten(arguments.first(1)),
    "sqrt radic": between("√", ""),
    "us$ usd": money("US$"),
    "€ euro euros": money("€"),
    "£ gbp": money("£"),
    "¥ jpy jpy_convert": money("¥"),
    "inr indian_rupee ₹": money("₹"),
    "a$ aud": money("A$"),
    "r$": money("R$"),
    "₩": money("₩"),
    "฿": money("฿"),
    "currency": currency,
    "no. numero": between("No. ", ""),
    "vol.": between("Vol. ", ""),
    "p.": between("p. ", ""),
    "pp.": between("pp. ", ""),
    "chem chem2 ce chemical_formula": joined(""),
    "simplenuclide simplenuclide2 nuclide nuclide2 nuclidelink": joined("-"),
    "music": music,
}

DATES: Mapping[str, Rule] = {
    "birth_date birth_date_and_age bda dob birth_date_and_age2 start_date start_date_and_age "
    "end_date film_date release_date dts date_table_sorting birth-date death-date "
    "生年月日 生年月日と年齢 출생일 출생일과_나이 시작_날짜 끝_날짜 تاريخ_الميلاد "
    "تاريخ_الميلاد_والعمر تاريخ_الولادة تاريخ_ولادة تاريخ_الولادة_والعمر تاريخ_البدء تاريخ_بدء "
    "วันเกิด วันเกิดและอายุ วันที่ death_date death_date_and_age 사망일 사망일과_나이 تاريخ_الوفاة "
    "تاريخ_الوفاة_والعمر تاريخ_وفاة วันตาย วันตายและอายุ วันเสียชีวิตและอายุ": date_of(),
    "死亡年月日と没年齢 没年齢": date_of(start=4),
    "fecha fecha_de_nacimiento fecha_de_inicio fecha_de_fallecimiento dtlink dtext data "
    "data_de_nascimento dni nascimento morte falecimento falecimento_e_idade dnibr": date_of("dmy"),
    "birth_year_and_age birth_year": text_of(1),
    "circa c. ca hacia": circa("c."),
    "floruit fl.": years("fl."),
    "reign r.": years("r."),
    "born b.": years("b."),
    "died d.": years("d."),
    "as_of": as_of,
    "siglo": siglo,
    "séc século": lambda arguments: f"século {arguments.first(1)}",
    "séculos": lambda arguments: f"séculos {' e '.join(v for v in arguments.positional if v)}",
    "a._c. a.c. ac": before_word("a.C."),
    "d._c. d.c. dc": before_word("d.C."),
    "هـ": before_word("هـ"),
    "ق.م ق_م": before_word("ق.م"),
}

PUNCTUATION: Mapping[str, Rule] = {
    "! pipe": literal("|"),
    "'": literal("'"),
    "'s": literal("'s"),
    "\"'": literal("\"'"),
    "'\"": literal("'\""),
    "*": literal("•"),
    "ndash en_dash endash nbnd –": literal("–"),
    "mdash em_dash emdash — mdashb": literal("—"),
    "snd spnd spaced_ndash spaced_en_dash": literal(" – "),
    "℃": literal("℃"),
    "nbsp space spaces thinsp thin_space hairsp esd 0 in5 gap pad": literal(" "),
    "dot · • bull middot": literal(" · "),
    "صلى_الله_عليه_وسلم صلى ﷺ": literal("ﷺ"),
    "عليه_السلام": literal("عليه السلام"),
    "بيت_شعر بيت": joined(" … "),
}

BLOCKS: Mapping[str, Rule] = {
    "quote blockquote quotation cquote rquote bquote quote_box cita cita2 cita3 citação "
    "citação2 引用 행인용 인용문 인용 인용문2 اقتباس اقتباس_خاص اقتباس_مضمن คำพูด epigraph": block(
        "text", "quote", "texto", "نص", "quotetext", 1
    ),
    "poem poemquote verse قصيدة": block("text", 1),
    "plainlist flatlist plain_list block_indent": block("content", "text", 1),
    "columns-list div_col multicol": columns,
    "ecuación": block(1, 2),
    "ubl unbulleted_list bulleted_list bulletedlist ublist vunblist": lines,
    "ordered_list": numbered_lines,
    "hlist": joined(", "),
    "term": between("\n; ", ""),
    "defn": between("\n: ", "\n"),
}

RULES: Mapping[str, Rule] = {
    name.replace("_", " ").casefold(): rule
    for table in (WORDS, NUMBERS, DATES, PUNCTUATION, BLOCKS)
    for names, rule in table.items()
    for name in names.split()
} | {"=": literal("=")}

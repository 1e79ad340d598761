"""Examples of cleaning, language by language: wikitext and the text that is to come out of it."""

# What is the same in every wiki is shown in English.
EN = [
    # words in other languages
    ("Bees, {{lang|la|Apis}} or {{langx|de|Biene}}.", "Bees, Apis or Biene."),
    ("({{lang-fr|abeille}}; {{lang-rus|пчела}})", "(abeille; пчела)"),
    (
        "{{nihongo|Tokyo|東京|Tōkyō}}, {{nihongo3|Tokyo|東京|Tōkyō}}",
        "Tokyo (東京, Tōkyō), Tōkyō (東京, Tokyo)",
    ),
    (
        "{{transl|ar|ALA|qahwa}} ({{rtl-lang|ar|قهوة}}), {{zh|c=北京|p=Běijīng}}",
        "qahwa (قهوة), 北京",
    ),
    ("{{ill|Foo|fr|Bar}}, {{ill|Foo|fr|Bar|lt=foo}}", "Foo, foo"),
    # numbers and units
    ("{{convert|2|mm|in|abbr=on}}, {{cvt|3|ft|6|in|m}}", "2 mm, 3 ft 6 in"),
    ("{{convert|5+1/2|in}}, {{convert|1{{frac|1|2}}|mi}}", "5 1/2 in, 1 1/2 mi"),
    ("1{{frac|1|4}} of {{frac|3|1|2}}, {{frac|4}}", "1 1/4 of 3 1/2, 1/4"),
    (
        "{{val|9.1|0.2|e=-31|u=kg}}, {{val|5|ul=km|up=s}}, 6{{e|24}}",
        "9.1 ± 0.2 × 10⁻³¹ kg, 5 km/s, 6×10²⁴",
    ),
    (
        "{{height|ft=5|in=6}}, {{ordinal|22}}, {{ordinal|11}}, {{No.|5}}",
        "5 ft 6 in, 22nd, 11th, No. 5",
    ),
    ("{{US$|5}}, {{currency|13&nbsp;billion|KRW}}, {{£|7}}", "US$5, ₩13 billion, £7"),
    ("20<sub>16</sub>, H<sub>2</sub>O, 10<sup>6</sup>", "20₁₆, H2O, 10⁶"),
    ("7<sub>[[hexadecimal|16]]</sub>, 2<sub>[[a]]</sub>, 10<sup>[[power|6]]</sup>", "7₁₆, 2a, 10⁶"),
    # dates
    ("{{birth date|1980|5|1}}, {{start date|1980|5|df=y}}", "May 1, 1980, May 1980"),
    ("{{death date and age|2001|09|11|1950|1|2|df=y}}", "11 September 2001"),
    ("{{death date|1 May 1980}}, {{film date|2010|05|US}}", "1 May 1980, May 2010"),
    (
        "{{as of|2018|5|3}}, {{as of|2018|lc=y}}, {{as of|2011|alt=by 2011}}",
        "As of 3 May 2018, as of 2018, by 2011",
    ),
    (
        "{{circa|1500|1510}}, {{fl.|1500}}, {{reign|1500|1510}}",
        "c. 1500 – c. 1510, fl. 1500, r. 1500–1510",
    ),
    # names and signs
    (
        "{{USS|Enterprise|CV-6}}, {{USS|Enterprise|CV-6|2}}, {{ship|RMS|Titanic}}",
        "USS Enterprise (CV-6), Enterprise, RMS Titanic",
    ),
    ("Boeing{{'s}} 1939{{endash}}1945{{snd}}a{{nbsp}}B{{music|flat}}", "Boeing's 1939–1945 – a B♭"),
    ("{{nowrap|a {{small|b}}}} {{sic|teh}} {{abbr|Dr|Doctor}} {{color|red|x}}", "a b teh Dr x"),
    ("{{hlist|a|b}}: {{math|x {{=}} y}}", "a, b: x = y"),
    # blocks
    ("So:{{quote|A [[word]].|Author}}{{ubl|a|b}}", "So:\n\nA word.\n\n- a\n- b"),
    ("{{columns-list|2|\n* a\n* b\n}}{{ordered list|x|y}}", "- a\n- b\n\n1. x\n2. y"),
    ("{{term|Bee}}{{defn|An insect.}}{{plainlist|\n* a\n* b\n}}", "Bee\nAn insect.\n\n- a\n- b"),
    ("{{poem|a\nb}}<poem>c\nd</poem><blockquote>e</blockquote>", "a b\n\nc\nd\n\ne"),
    # what shows nothing
    (
        "{{Infobox|a=[[File:b.jpg|thumb|[[c]]]]|d={{convert|1|m}}}}Text{{cn|date=May 2020}}.",
        "Text.",
    ),
    ("{{about|a|b}}\n:''For others, see [[X]].''\nText.\n\n{{main|Y}}\nMore.", "Text.\n\nMore."),
    ("== A ==\n:''See also: [[B]].''\nText.\n:''Not this'' [[one]].", "A\n\nText.\nNot this one."),
    (
        "{{DEFAULTSORT:Bee}}{{CURRENTYEAR}}{{#if:x|y}}{{coord|1|2|N}}Text__NOTOC__.__NOEDITSECTION__",
        "Text.",
    ),
    ("{{formatnum:1234}} {{lc:ABC}} {{uc:{{lang|fr|é}}}}", "1234 abc É"),
    # files, categories, other wikis, addresses
    ("[[File:a.jpg|thumb|200px|A [[b]] [http://x.y z].]][[Image:b.png]]Text.", "Text."),
    (
        "[[Category:Bees| ]][[fr:Abeille]][[zh-min-nan:Phang]]Text [[:fr:Abeille]].",
        "Text fr:Abeille.",
    ),
    (
        "<gallery mode=packed>\nFile:a.jpg|A [[b]]\n</gallery><imagemap>\nx\n</imagemap>Text.",
        "Text.",
    ),
    ("[http://x.y ''The'' site], [//x.y z], (http://x.y/a_(b)), [https://x.y]", "The site, z,"),
    ("[[Category:A]\n[Category:B]]\nText (see [note: a]) [[Category:C", "Text (see [note: a])"),
    ("<gallery>\nFile:a.jpg|A [[b]]\nText.", "Text."),
    # tables, notes, formulas
    ("Text.\n{{clear}}{| class=a\n! b\n|-\n| c || {{d\n|e}}\n|}\nMore.", "Text.\n\nMore."),
    ("A<ref name=x>{{cite|y}} [[z]]</ref>b<ref name=x/>c.", "Abc."),
    ("<math>a_{i}</math>, {{math|''a''}}, <chem>H2O</chem>", "$a_{i}$, a, $\\ce{H2O}$"),
    # characters
    ("a&nbsp;b&thinsp;c &#91;&#91;d&#93;&#93; &lt;e> x&#x200B;y", "a b c d <e> xy"),
    ("#include <stdio.h> and <foo>bar</foo>", "1. include <stdio.h> and <foo>bar</foo>"),
    ("<nowiki>''a''</nowiki> <nowiki/>b <pre>c\n d</pre>", "''a'' b\n\nc\nd"),
]

AR = [
    ("نهر شبريه {{ألمانية|Spree}} و{{إنج|bee}}", "نهر شبريه Spree وbee"),
    ("{{لغة|en|bee}}، {{lang-en|bee}}؛ {{lang|en|a}}", "bee، bee؛ a"),
    ("{{وإو|نحلة|Bee|en}} و{{وصلة إنترويكي|عر=عسل|تر=Honey}}", "نحلة وعسل"),
    ("{{تحويل|5|km}}، {{تاريخ الميلاد|1980|5|1}}", "5 km، 1 مايو 1980"),
    ("محمد {{صلى الله عليه وسلم}} 11 {{هـ}}، {{ق.م|44}}", "محمد ﷺ 11 هـ، 44 ق.م"),
    ("[[ملف:باب.jpg|تصغير|[[باب]]]][[تصنيف:أبواب]]نص{{بحاجة لمصدر}}.", "نص."),
    ("{{مفصلة|تاريخ}}\nنص.\n== المراجع ==\n{{مراجع}}", "نص."),
    ("{{اقتباس|كلام}}\n{|\n|a\n|}", "كلام"),
    ("<math>a</math> نص<ref>مرجع</ref>__لافهرس__", "$a$ نص"),
]

ES = [
    ("{{lang|en|bee}} o {{lang-de|Biene}}, {{lenguaje|fr|abeille}}", "bee o Biene, abeille"),
    ("{{unidad|20|km}}, {{convertir|5|km|mi}}, {{nf|1234}}", "20 km, 5 km, 1234"),
    (
        "{{fecha|1|5|1980}}, {{fecha||5|1980}}, {{fecha|1980}}",
        "1 de mayo de 1980, mayo de 1980, 1980",
    ),
    (
        "{{siglo|V|a|s}}, {{siglo|XIX||s}}, siglo {{versalita|xx}}",
        "siglo V a. C., siglo XIX, siglo xx",
    ),
    ("{{c.|1500}} {{esd}}{{enlace interlingüe|Foo|en|Bar}}", "c. 1500 Foo"),
    ("[[Archivo:a.jpg|miniatura|La [[puerta]]]][[Categoría:B]]Texto{{cita requerida}}.", "Texto."),
    ("{{Ficha de x\n| a = {{unidad|1|m}}\n}}\n{{otros usos}}Texto.", "Texto."),
    (
        "Dijo: {{cita|Una frase.|Autor}}\n* {{bandera|Francia}} '''[[París]]'''",
        "Dijo:\n\nUna frase.\n\n- París",
    ),
    ("Texto.__SIN_TDC__\n== Véase también ==\n* [[a]]", "Texto."),
    ("{{NOMBREDEPAGINA}}{{listaref}}Texto&nbsp;<math>b</math><ref>c</ref>.", "Texto $b$."),
]

JA = [
    (
        "'''蜂'''（{{読み仮名|花蜂|はなばち}}、{{lang-en-short|bee}}、{{Lang|fr|abeille}}）",
        "蜂（花蜂（はなばち）、bee、abeille）",
    ),
    (
        "{{ルビ|蜜|みつ}}、{{ふりがな|蜂|はち}}、<ruby>蜂<rp>(</rp><rt>はち</rt><rp>)</rp></ruby>",
        "蜜（みつ）、蜂（はち）、蜂(はち)",
    ),
    ("{{仮リンク|蜂|en|Bee}}と{{仮リンク|蜜|en|Honey|label=ミツ}}", "蜂とミツ"),
    (
        "{{生年月日と年齢|1980|5|1}}、{{死亡年月日と没年齢|1900|1|2|1980|05|01}}",
        "1980年5月1日、1980年5月1日",
    ),
    ("{{convert|5|km|mi}}、{{JPY|500}}、{{分数|1|2}}", "5 km、¥500、1/2"),
    ("{{要出典範囲|蜂である|date=2020年}}。{{要出典|date=2020年}}", "蜂である。"),
    ("[[ファイル:蜂.jpg|thumb|[[蜂]]の写真]][[Category:蜂|はち]]文。", "文。"),
    (
        '{{基礎情報 都市\n|a={{読み仮名|b|c}}\n}}\n{{otheruses}}文{{R|a}}。<ref group="注">d</ref>',
        "文。",
    ),
    ("{{Quotation|引用文。|人}}\n== 脚注 ==\n{{Reflist}}", "引用文。"),
    ("<math>a</math>は{{JIS2004フォント|芦}}。__目次非表示__{{0}}0", "$a$は芦。 0"),
    ("* {{flagicon|USA}} - [[LA]]\n{|\n|a\n|}", "- LA"),
]

KO = [
    ("'''벌'''({{llang|en|bee}}, {{lang|ja|蜂}}, {{한자|峰}})", "벌(bee, 蜂, 峰)"),
    ("{{본명|홍길동}}, {{윗주|蜂|벌}}, {{임시링크|꿀|en|Honey}}", "홍길동, 蜂(벌), 꿀"),
    ("{{출생일과 나이|1980|5|1}}, {{사망일|1980|05}}", "1980년 5월 1일, 1980년 5월"),
    ("{{단위 변환|5|km}}, {{convert|3|m|ft}}", "5 km, 3 m"),
    ("{{국기나라|독일}}, * {{범례|#EB001F|[[사회민주당]] (21.6%)}}", "독일, * 사회민주당 (21.6%)"),
    ("[[파일:벌.jpg|섬네일|[[벌]] 사진]][[분류:벌]]글{{출처 필요}}.", "글."),
    ("{{도시 정보\n|이름={{llang|de|a}}\n}}\n{{다른 뜻}}글.<ref>{{웹 인용|a=b}}</ref>", "글."),
    ("{{인용문|말.}}\n== 각주 ==\n{{각주}}", "말."),
    ("<math>a</math>는 __목차숨김__글.\n{|\n|b\n|}", "$a$는 글."),
]

PT = [
    ("{{lang|en|bee}}, {{lang-de|Biene}}, {{langx|fr|abeille}}", "bee, Biene, abeille"),
    (
        "{{fmtn|1234}}, {{formatnum:1234}}, {{convert|20|km|mi}}, {{converter|5|m}}",
        "1234, 1234, 20 km, 5 m",
    ),
    (
        "{{dtlink|1|5|1980}}, {{dni|1|5|1980}}, {{dtlink||5|1980}}",
        "1 de maio de 1980, 1 de maio de 1980, maio de 1980",
    ),
    ("{{séc|XIX}}, {{séculos|XV|XVI}}, {{AC|44}}", "século XIX, séculos XV e XVI, 44 a.C."),
    ("{{R$|5}}, {{nowrap|a b}}, {{ill|Foo|en|Bar}}", "R$5, a b, Foo"),
    (
        "[[Ficheiro:a.jpg|miniatura|A [[porta]]]][[Imagem:b.png]][[Categoria:C]]Texto{{cn}}.",
        "Texto.",
    ),
    (
        "{{Info/Cidade\n|a={{fmtn|1}}\n}}\n{{Ver desambig}}Texto.<ref>{{citar web|a}}</ref>",
        "Texto.",
    ),
    ("{{Citação2|Uma frase.}}\n== Ver também ==\n* [[a]]", "Uma frase."),
    ("<math>a</math> e {{NOMEDAPAGINA}}b__SEMTDC__\n{|\n|c\n|}", "$a$ e b"),
]

TH = [
    ("'''ผึ้ง''' ({{lang-en|bee}}; {{ภาษาญี่ปุ่น|蜂}}, {{lang|fr|abeille}})", "ผึ้ง (bee; 蜂, abeille)"),
    ("{{นิฮงโงะ|โตเกียว|東京|Tōkyō}}", "โตเกียว (東京, Tōkyō)"),
    (
        "{{วันเกิดและอายุ|1980|5|1}}, {{birth date|1980|5|1}}",
        "1 พฤษภาคม พ.ศ. 2523, 1 พฤษภาคม พ.ศ. 2523",
    ),
    ("{{แปลงหน่วย|5|km}}, {{convert|3|m|ft}}", "5 km, 3 m"),
    ("{{ธง|เยอรมนี}}, {{color|red|แดง}}", "เยอรมนี, แดง"),
    ("[[ไฟล์:a.jpg|thumb|[[ผึ้ง]]]][[ภาพ:b.png]][[หมวดหมู่:ผึ้ง]]ข้อความ{{อ้างอิง}}", "ข้อความ"),
    ("{{กล่องข้อมูล\n|a={{lang-en|b}}\n}}\n{{ความหมายอื่น}}ข้อความ<ref>c</ref>", "ข้อความ"),
    ("{{คำพูด|คำ}}\n== อ้างอิง ==\n{{รายการอ้างอิง}}", "คำ"),
    ("<math>a</math> __ไม่มีสารบัญ__ข้อความ\n{|\n|b\n|}", "$a$ ข้อความ"),
]

TABLE = {"en": EN, "ar": AR, "es": ES, "ja": JA, "ko": KO, "pt": PT, "th": TH}
EXAMPLES = [
    (language, wikitext, text) for language, table in TABLE.items() for wikitext, text in table
]

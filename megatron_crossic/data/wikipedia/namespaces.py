"""How the wikis of the seven languages name their namespaces; English names work in every wiki."""

import re
from functools import cache

from megatron_crossic.data.records import LANGUAGES

# Files and media: links to them show a picture, never text of the article.
FILE = {
    "en": "file image media",
    "ar": "ملف صورة وسائط ميديا",
    "es": "archivo imagen medio",
    "ja": "ファイル 画像 メディア",
    "ko": "파일 그림 미디어",
    "pt": "ficheiro imagem arquivo multimédia média",
    "th": "ไฟล์ ภาพ สื่อ",
}

CATEGORY = {
    "en": "category",
    "ar": "تصنيف",
    "es": "categoría categoria",
    "ja": "カテゴリ",
    "ko": "분류",
    "pt": "categoria",
    "th": "หมวดหมู่",
}

# Everything else that is not an article.
OTHER = {
    "en": "talk user wikipedia wp project mediawiki template help portal draft module special "
    "timedtext book topic gadget",
    "ar": "نقاش مستخدم مستخدمة ويكيبيديا ميدياويكي قالب مساعدة بوابة وحدة خاص مسودة",
    "es": "discusión usuario usuaria wikipedia plantilla ayuda portal wikiproyecto anexo módulo "
    "especial",
    "ja": "ノート 利用者 プロジェクト テンプレート ヘルプ ポータル モジュール 特別",
    "ko": "토론 사용자 위키백과 미디어위키 틀 도움말 포털 모듈 특수 초안",
    "pt": "discussão usuário usuária utilizador wikipédia predefinição ajuda portal anexo módulo "
    "especial livro",
    "th": "พูดคุย ผู้ใช้ วิกิพีเดีย มีเดียวิกิ แม่แบบ วิธีใช้ สถานีย่อย มอดูล พิเศษ ฉบับร่าง",
}

# Talk pages; those of English all end with ` talk`. A `_` is a blank.
TALK = {
    "ar": "نقاش_المستخدم نقاش_المستخدمة نقاش_ويكيبيديا نقاش_الملف نقاش_ميدياويكي نقاش_القالب "
    "نقاش_المساعدة نقاش_التصنيف نقاش_البوابة نقاش_الوحدة",
    "es": "usuario_discusión usuaria_discusión wikipedia_discusión archivo_discusión "
    "mediawiki_discusión plantilla_discusión ayuda_discusión categoría_discusión portal_discusión "
    "wikiproyecto_discusión anexo_discusión módulo_discusión",
    "ja": "利用者‐会話 利用者・トーク wikipedia‐ノート ファイル‐ノート mediawiki‐ノート "
    "template‐ノート help‐ノート category‐ノート portal‐ノート "
    "プロジェクト‐ノート モジュール‐ノート",
    "ko": "사용자토론 위키백과토론 파일토론 미디어위키토론 틀토론 도움말토론 분류토론 포털토론 "
    "모듈토론 초안토론",
    "pt": "usuário(a) usuário(a)_discussão usuário_discussão wikipédia_discussão "
    "ficheiro_discussão mediawiki_discussão predefinição_discussão ajuda_discussão "
    "categoria_discussão portal_discussão anexo_discussão módulo_discussão livro_discussão",
    "th": "คุยกับผู้ใช้ คุยเรื่องวิกิพีเดีย คุยเรื่องไฟล์ คุยเรื่องภาพ คุยเรื่องมีเดียวิกิ คุยเรื่องแม่แบบ "
    "คุยเรื่องวิธีใช้ คุยเรื่องหมวดหมู่ คุยเรื่องสถานีย่อย คุยเรื่องมอดูล คุยเรื่องฉบับร่าง",
}

REDIRECT_WORDS = (
    "REDIRECT تحويل REDIRECCIÓN REDIRECCION 転送 リダイレクト 넘겨주기 REDIRECIONAMENTO เปลี่ยนทาง"
).split()

# Wikis whose code is not ISO 639-1, as far as their links are met in articles.
OTHER_WIKI_CODES = frozenset(
    """
    als arz ast azb bar bat-smg bcl be-tarask be-x-old ceb ckb cbk-zam diq fiu-vro frr fur gsw hak
    hif hsb ilo jbo lmo mzn nap nds nds-nl new pms pnb roa-rup sah scn sco simple szl tpi vec war
    wuu yue zh-classical zh-min-nan zh-yue
    """.split()
)

PICTURE = re.compile(
    r"[^:\[\]|]+:.+\.(?:jpe?g|png|svg|gif|webp|tiff?|xcf|og[gva]|opus|webm|mp3|wav|flac|midi?|"
    r"pdf|djvu|stl)\s*",
    re.IGNORECASE,
)


@cache
def _names(kind: str, language: str) -> frozenset[str]:
    table = {"file": FILE, "category": CATEGORY, "other": OTHER, "talk": TALK}[kind]
    names = f"{table.get('en', '')} {table.get(language, '')}".split()
    return frozenset(name.replace("_", " ") for name in names)


def _prefix(title: str) -> str:
    prefix, colon, _ = title.partition(":")
    return " ".join(prefix.replace("_", " ").split()).casefold() if colon else ""


def is_file(title: str, *, language: str) -> bool:
    """Whether a link to `title` shows a picture or another medium.

    A prefix unknown to us counts where the title ends like a picture (`Datei:Tor.jpg`).
    """
    return _prefix(title) in _names("file", language) or PICTURE.fullmatch(title) is not None


def is_category(title: str, *, language: str) -> bool:
    """Whether a link to `title` puts the page into a category."""
    return _prefix(title) in _names("category", language)


def is_interwiki(title: str) -> bool:
    """Whether a link to `title` names the same page in another language (`fr:Berlin`)."""
    prefix = _prefix(title)
    return prefix in LANGUAGES or prefix in OTHER_WIKI_CODES


def is_article(title: str, *, language: str) -> bool:
    """Whether `title` lies in the article namespace, told by its prefix alone.

    For dumps older than export format 0.5, which do not say `<ns>`, and for titles of links.
    """
    prefix = _prefix(title)
    if not prefix:
        return True
    kinds = ("file", "category", "other", "talk")
    is_named = any(prefix in _names(kind, language) for kind in kinds)
    return not is_named and not prefix.endswith(" talk")

"""How wikis of seven languages name what `kinds` looks for; blanks are written `_`, case is free.

Names of English count in every wiki, since templates are often taken over with their names.
"""

# Templates that stand on disambiguation pages, by their whole names: `{{Disambiguation needed}}`
# stands in articles.
DISAMBIGUATION_TEMPLATES = {
    "en": "disambiguation disambig disamb dab disambiguation_page dabpage disambiguation_cleanup "
    "dab-cleanup disambig-cleanup hndis human_name_disambiguation hndis-cleanup geodis "
    "place_name_disambiguation airport_disambiguation biology_disambiguation "
    "callsigndis call_sign_disambiguation chinese_title_disambiguation genus_disambiguation "
    "hospital_disambiguation letter-number_combination_disambiguation lndab mathdab "
    "mathematical_disambiguation mil-unit-dis military_unit_disambiguation music_disambiguation "
    "numberdis number_disambiguation opus_disambiguation phonetics_disambiguation "
    "portal_disambiguation road_disambiguation roaddis school_disambiguation schooldis "
    "species_latin_name_abbreviation_disambiguation species_latin_name_disambiguation "
    "station_disambiguation synagogue_disambiguation taxonomic_authority_disambiguation "
    "taxonomy_disambiguation wikipedia_disambiguation",
    "ar": "توضيح صفحة_توضيح توضيح_أسماء توضيح_أعلام توضيح_أشخاص توضيح_مدن توضيح_أماكن توضيح_جغرافي",
    "es": "desambiguación desambiguacion desambig",
    "ja": "aimai 曖昧さ回避 人名の曖昧さ回避 地名の曖昧さ回避 駅名の曖昧さ回避 山の曖昧さ回避 "
    "学校名の曖昧さ回避 国道の曖昧さ回避 mountainindex",
    "ko": "동음이의 동명이인 동음이의_문서 동음이의어 지명_동음이의 인명_동음이의 학교_동음이의",
    "pt": "desambiguação desambiguacao desambig desambigs-plural desambiguação-sigla "
    "desambig-sigla desambig-ni desambig-bio",
    "th": "แก้กำกวม แก้ความกำกวม คำกำกวม กำกวม",
}

# What stands in brackets at the end of the titles of such pages.
DISAMBIGUATION_SUFFIXES = {
    "en": "disambiguation",
    "ar": "توضيح",
    "es": "desambiguación",
    "ja": "曖昧さ回避",
    "ko": "동음이의 동음이의어 동명이인",
    "pt": "desambiguação",
    "th": "แก้ความกำกวม แก้กำกวม",
}

# `Index of` is not here: the index of refraction and that of coincidence are articles.
LIST_STARTS = {
    "en": "list_of_ lists_of_ outline_of_",
    "ar": "قائمة_ قوائم_ ملحق:",
    "es": "anexo: lista_de_ listado_de_",
    "pt": "anexo: lista_de_ lista_do_ lista_da_ lista_dos_ lista_das_",
    "th": "รายชื่อ รายพระนาม รายนาม",
}
LIST_ENDS = {"ja": "一覧 一覧表", "ko": "목록 일람"}

STUB_NAMES = {
    "en": "stub substub",
    "ar": "بذرة",
    "es": "esbozo miniesbozo",
    "ja": "スタブ",
    "ko": "토막글",
    "pt": "esboço mínimo",
    "th": "โครง",
}
STUB_ENDS = {"en": "-stub _stub", "ja": "スタブ", "ko": "_토막글"}
STUB_STARTS = {
    "ar": "بذرة_",
    "es": "esbozo_",
    "ko": "토막글_",
    "pt": "esboço- esboço_",
    "th": "โครง",
}
# Names that only look like those of stubs: of sections, projects, structures.
NO_STUBS = {
    "en": "section-stub section_stub sect-stub expand_stub not_a_stub",
    "th": "โครงการ โครงสร้าง โครงส่วน โครง-ส่วน โครงเฉพาะส่วน",
}

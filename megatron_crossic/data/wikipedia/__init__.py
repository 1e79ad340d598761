"""From MediaWiki dumps to clean article pairs.

    source: page + redirect SQL, or its dump ──► index ──┐
    target: page + redirect SQL, or its dump ──► index ──┼─► join ─► (page, partner)
    langlinks SQL of one of them ────────────────────────┘              │
                                                                        ▼
    source dump, target dump ──────────────────────────► clean both ─► pairs.jsonl + manifest

    Parquet files of clean articles ─► index ─► join ─► pairs.jsonl + manifest   (parquet_pairs)

`dump` streams pages and `sql` rows (`sql_scanner`, `sql_rows`); `titles` and `namespaces` know how
wikis name things; `sources` reads the pages of a wiki into an `index` of titles, ids and redirects,
`links` the langlinks, and `join` gives each article a partner or one of the `reasons`; `kinds` (by
`kind_names`) tells disambiguation pages, lists and stubs; `clean` turns wikitext into paragraphs
with the help of `markup`, `render`, `templates` and `tidy`; `build` runs it all under `options`,
keeps the account and says by `progress` how far it is.

Cost: a dump is read twice, once where the tables are given. The join keeps no titles but 64-bit
keys, 72 bytes a page at the most. Only articles that have a partner are cleaned. Texts of the
target side wait in a temporary file on disk until the source dump is read, so that memory holds no
text but the page at hand.
"""

"""From MediaWiki dumps to clean article pairs.

    source dump ──► index ──┐
    target dump ──► index ──┼─► links ─► (page, partner) ─► clean both ─► pairs.jsonl + manifest
    langlinks SQL ──────────┘

`blocks` reads plain, gzip and bzip2 files; `dump` and `sql` stream pages and rows out of them;
`titles` and `namespaces` know how wikis name things; `index` remembers the titles, ids and
redirects of one dump; `links` joins two of them; `clean` turns wikitext into paragraphs with the
help of `characters`, `elements`, `markup`, `addresses`, `brackets`, `render`, `templates` and
`tidy`, in this order; `build` runs it all under `options` and keeps
the account.

Cost: every dump is read twice. The first pass keeps titles, ids and redirects only, the second
cleans only the articles that have a partner. Texts of the target side wait in a temporary file on
disk until the source dump is read, so that memory holds no text but the page at hand.
"""

"""From MediaWiki dumps to clean article pairs.

    page + redirect SQL, or the dump, of the source ─► index ─┐
    page + redirect SQL, or the dump, of the target ─► index ─┼─► join ─► partners
    langlinks SQL of one of them ─────────────────────────────┘              │
                                                                             ▼
    source dump ─► segments ─┐                                       wanted page ids
                             ├─► processes ─► cleaned articles in the work folder ─► pairing
    target dump ─► segments ─┘                                                          │
                                                          pairs.jsonl + manifest ◄──────┘

A dump is read twice, once where the tables are given, and only articles that have a partner are
cleaned. The join keeps no titles but 64-bit keys, 72 bytes a page at the most; cleaned texts are on
disk, and a process holds the pages of one bz2 stream. Parquet files of articles that are clean
already (`parquet_pairs`) need the join alone.
"""

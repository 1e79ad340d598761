"""Pairs out of texts that are not aligned, by nearest neighbours.

    pairs ─► fit ─► encoder ─────────────┐
                                         ▼
    corpus ─► passages ───────────► encode ─► vectors ─► index ─┐
    documents ─► title, keywords, whole ─┘       │              ▼
                                                 └─────────► search ─► candidates
                                                                           │ ratio margin
    texts of candidates, read again ──────────────────────► select ◄───────┘
                                                               │
                              pair file, account, report ◄─────┘

Passages are millions and more, so they are never held: vectors lie on disk in segments, an index is
built in parts, and only the texts of candidates are read a second time. Each segment, part and step
is there whole or not at all, so jobs share the work and a killed run goes on: see `mining`.
"""

"""Who is whose partner, from the tables that Wikimedia publishes as SQL.

page, redirect ─► sources ─► index of titles, ids and redirects ─┐
langlinks ─► links ──────────────────────────────────────────────┴─► join ─► partners, reasons
"""

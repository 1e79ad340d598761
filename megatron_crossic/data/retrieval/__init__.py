"""Pairs out of unaligned texts, by nearest neighbours."""

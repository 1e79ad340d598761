"""Pairs mined by meaning: vectors of texts, an index of them, candidates, a selection."""

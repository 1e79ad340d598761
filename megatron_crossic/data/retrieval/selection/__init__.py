"""Candidates -> pairs, each rejection under a reason."""

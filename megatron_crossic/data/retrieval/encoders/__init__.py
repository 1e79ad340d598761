"""Texts -> vectors: fitted on pairs, or pre-trained."""

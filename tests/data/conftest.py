"""Properties are checked without a time limit per example: discs and machines are slow at times."""

from hypothesis import settings

settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")

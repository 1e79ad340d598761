"""Which languages Punkt has a model for, and how one is loaded: NLTK's parameters, if installed.

`fast_punkt` does the work. It is imported by name, and only when it is asked for: NLTK takes more
than a second to import, which nobody pays who uses another splitter.
"""

from functools import cache
from importlib import import_module
from typing import Any

from megatron_crossic.errors import ConfigError

PUNKT_MODELS = {
    "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "es": "spanish", "et": "estonian", "fi": "finnish", "fr": "french", "it": "italian",
    "ml": "malayalam", "nb": "norwegian", "nl": "dutch", "no": "norwegian", "pl": "polish",
    "pt": "portuguese", "ru": "russian", "sl": "slovene", "sv": "swedish", "tr": "turkish",
}  # fmt: skip
"""ISO 639-1 code -> model of `punkt_tab`; there is none for ar, ja, ko, th or zh."""


@cache
def load_punkt(model: str) -> Any:
    """The `FastPunkt` of a `punkt_tab` model, loaded once; `ConfigError` where it is missing."""
    try:
        return import_module("megatron_crossic.data.fast_punkt").FastPunkt(model)
    except (LookupError, OSError, ValueError) as error:
        reason = next(iter(str(error).replace("*", "").strip().splitlines()), "no reason given")
        raise ConfigError(
            f"Punkt parameters must be installed for --sentence-splitter punkt, got no usable "
            f"punkt_tab/{model}: {reason.strip()} "
            "Run `python -m nltk.downloader punkt_tab` once, or unpack NLTK's punkt_tab.zip below "
            "tokenizers/ in a folder that NLTK_DATA names. It has models for "
            f"{' '.join(PUNKT_MODELS)}; other languages never need it. Without it, leave the "
            "option out to use sentencex, which needs no parameters."
        ) from error

"""Punkt parameters of a few sentences, saved by NLTK itself where its loader finds them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nltk
from nltk.tokenize.punkt import PunktTrainer, save_punkt_params

from megatron_crossic.data.punkt import load_punkt

SENTENCES = (
    "Dr. Smith met Mr. Jones etc. and others. The bee e.g. flies to the flower. It makes honey. "
    "Mr. Jones saw the bee. The flower e.g. a rose is red. Dr. Jones likes it etc. a lot. He left. "
)


@contextmanager
def install_punkt(folder: Path, *models: str) -> Iterator[None]:
    """Have NLTK see a `punkt_tab` with these models in `folder`, and nothing else, for a while."""
    trainer = PunktTrainer()
    trainer.INCLUDE_ALL_COLLOCS = True
    trainer.train(SENTENCES * 10)
    parameters = trainer.get_params()
    assert {"dr", "mr", "e.g", "etc"} & parameters.abbrev_types
    before = list(nltk.data.path)
    nltk.data.path[:] = [str(folder)]
    load_punkt.cache_clear()
    try:
        home = folder / "tokenizers" / "punkt_tab"
        home.mkdir(parents=True)
        for model in models:
            save_punkt_params(parameters, dir=str(home / model))
        yield
    finally:
        nltk.data.path[:] = before
        load_punkt.cache_clear()

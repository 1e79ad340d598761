"""What turns texts into vectors, whichever it is: the embedded encoder or a pre-trained one."""

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np

from megatron_crossic.data.retrieval.index.vectors import Vectors

_LEAST_LENGTH = 1e-9

Purpose = Literal["query", "passage"]
"""Models trained for search treat the two differently."""


class Encoder(Protocol):
    """Texts of any of its languages become vectors that can be compared by inner product."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def fingerprint(self) -> str:
        """Vectors of encoders with the same fingerprint can be compared."""

    @property
    def dimension(self) -> int:
        """Numbers of a vector."""

    @property
    def is_one_process(self) -> bool:
        """Whether it shares its work out itself, so that one process must call it."""

    def encode(self, texts: Sequence[str], *, language: str, purpose: Purpose) -> Vectors:
        """Vectors of unit length, zeros for a text it knows nothing of. [len(texts), dimension]"""


def unit_rows(vectors: Vectors, *, least: float = _LEAST_LENGTH) -> Vectors:
    """Each row at length 1, zeros where it is up to `least` long; NaN stays for others to see.

    [n, d]
    """
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
    units = np.zeros_like(vectors)
    np.divide(vectors, lengths, out=units, where=~(lengths <= least))
    return units

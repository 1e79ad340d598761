"""Windows made a few at a time, looked at all together."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from megatron_crossic.data.spans import SPAN_DTYPE
from megatron_crossic.data.store import WindowStore
from megatron_crossic.data.windows import Windows


def joined(parts: Iterable[Windows], *, seq_length: int) -> Windows:
    tokens = [np.empty((0, seq_length), dtype=np.uint16)]
    spans = [np.empty(0, dtype=SPAN_DTYPE)]
    for windows in parts:
        tokens.append(windows.tokens)
        spans.append(windows.spans)
    return Windows(tokens=np.concatenate(tokens), spans=np.concatenate(spans))


def counted_windows(store: WindowStore) -> Counter[Any]:
    """Every window with what its spans say, whatever the order of pairs and languages."""
    found: Counter[Any] = Counter()
    for i in range(len(store)):
        spans = [
            (
                start,
                length,
                chunk,
                store.provenance(pair)["id"] if pair < 2**32 - 1 else None,
                store.languages[language] if language < 255 else None,
                role,
            )
            for start, length, chunk, pair, language, role in store.spans(i).tolist()
        ]
        found[(store.tokens(i).tobytes(), tuple(spans))] += 1
    return found

"""Windows made a few at a time, looked at all together."""

from collections.abc import Iterable

import numpy as np

from megatron_crossic.data.spans import SPAN_DTYPE
from megatron_crossic.data.windows import Windows


def joined(parts: Iterable[Windows], *, seq_length: int) -> Windows:
    tokens = [np.empty((0, seq_length), dtype=np.uint16)]
    spans = [np.empty(0, dtype=SPAN_DTYPE)]
    for windows in parts:
        tokens.append(windows.tokens)
        spans.append(windows.spans)
    return Windows(tokens=np.concatenate(tokens), spans=np.concatenate(spans))

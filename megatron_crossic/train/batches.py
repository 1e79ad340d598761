"""Windows -> batches: labels, and what each label counts for, from the spans.

Label p is token p + 1, so the last position has no label. A label has loss where its token is
text; padding and the beginning of the window never have, source texts as `data.loss_on` and
`[SPLIT]` as `data.split_loss` says. Where `data.attention_scope` divides a window into segments,
positions restart with each, and no label lies in another segment than its token.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from megatron_crossic.config import AttentionScope, LossOn
from megatron_crossic.data.loss_roles import roles_with_loss
from megatron_crossic.data.segments import restarting_positions
from megatron_crossic.data.spans import Role
from megatron_crossic.train.dataset import Window


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """One microbatch of one rank."""

    tokens: Tensor  # [batch, seq] int64
    labels: Tensor  # [batch, seq] int64, 0 where there is none
    loss_mask: Tensor  # [batch, seq] float32, 1 where the label counts
    parts: Tensor  # [batch, seq] int64, language and role of the label: language * roles + role
    position_ids: Tensor  # [batch, seq] int64, 0 where a segment starts

    def to(self, device: torch.device) -> Self:
        """The same batch on `device`."""
        moved = {f.name: to_device(getattr(self, f.name), device) for f in fields(self)}
        return type(self)(**moved)

    def without_loss(self, first: int) -> Self:
        """The same batch where windows from `first` on have no loss."""
        mask = self.loss_mask.clone()
        mask[first:] = 0
        return replace(self, loss_mask=mask)


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A copy that does not wait for work queued on a GPU, which an ordinary one would.

    PyTorch keeps the pinned memory until the copy is made.
    """
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def windows_to_batch(
    windows: Sequence[Window],
    *,
    split_loss: bool,
    loss_on: LossOn = "all",
    attention_scope: AttentionScope = "window",
) -> Batch:
    """Stack windows and work out labels, masks, languages and positions."""
    counts = roles_with_loss(split_loss=split_loss, loss_on=loss_on).astype(np.float32)
    masks = [np.repeat(counts[w.roles], w.lengths) for w in windows]
    tokens = torch.from_numpy(np.stack([w.tokens for w in windows]).astype(np.int64))
    positions = torch.arange(tokens.shape[1]).expand_as(tokens)
    if attention_scope != "window":
        restarting = [_restarting(w, attention_scope) for w in windows]
        for mask, places in zip(masks, restarting, strict=True):
            mask[places == 0] = 0  # nothing that is seen comes before
        positions = torch.from_numpy(np.stack(restarting))
    return Batch(
        tokens=tokens,
        labels=_next([w.tokens for w in windows], np.int64),
        loss_mask=_next(masks, np.float32),
        parts=_next([np.repeat(_parts(w), w.lengths) for w in windows], np.int64),
        position_ids=positions,
    )


def _parts(window: Window) -> NDArray[np.integer]:
    """What each span is, as one number  # [spans]."""
    return window.languages.astype(np.int32) * len(Role) + window.roles


def _restarting(window: Window, scope: AttentionScope) -> NDArray[np.int64]:
    """The place of every token in its chunk or pair  # [seq]."""
    owners = window.chunks if scope == "chunk" else window.pairs
    return restarting_positions(window.lengths, window.roles, owners)


def _next(rows: Sequence[NDArray[Any]], dtype: type[np.generic]) -> Tensor:
    """At each position the value of the next one; 0 at the end  # [batch, seq]."""
    shifted = np.zeros((len(rows), len(rows[0])), dtype=dtype)
    for target, row in zip(shifted, rows, strict=True):
        target[:-1] = row[1:]  # shifts and widens in one pass
    return torch.from_numpy(shifted)


def packed(batch: Batch) -> Batch:
    """All windows behind one another as a single row  # [1, batch * seq]."""
    return Batch(**{f.name: getattr(batch, f.name).reshape(1, -1) for f in fields(batch)})


def segment_ends(batch: Batch) -> Tensor:
    """Where the segments of the packed batch end, after a leading 0  # [segments + 1] int32.

    Windows of 4 tokens with positions 0 1 0 1 and 0 1 2 3: 0 2 4 8.
    """
    flat = batch.position_ids.flatten()
    starts = torch.nonzero(flat == 0).flatten()
    return torch.cat([starts, starts.new_tensor([len(flat)])]).int()


def context_share(batch: Batch, *, context_rank: int, context_size: int) -> Batch:
    """The tokens one context-parallel rank reads: an early part and the late part that mirrors it.

    With 8 tokens and 2 ranks: rank 0 has tokens 0 1 6 7, rank 1 has 2 3 4 5. Causal attention then
    costs both the same.
    """
    if context_size == 1:
        return batch
    parts = torch.arange(batch.tokens.shape[1]).chunk(2 * context_size)
    own = torch.cat([parts[context_rank], parts[2 * context_size - 1 - context_rank]])
    return Batch(**{f.name: getattr(batch, f.name)[:, own] for f in fields(batch)})

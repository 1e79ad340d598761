"""Windows to batches, on windows one can check by eye."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.data.spans import Role
from megatron_crossic.train.batches import Batch, context_share, windows_to_batch
from megatron_crossic.train.dataset import Window

EN, ES, NONE = 0, 1, 2


def window(
    tokens: list[int], spans: list[tuple[int, Role, int]], chunks: list[int] | None = None
) -> Window:
    """`spans` are (length, role, language); `chunks` holds the chunk of each span."""
    lengths, roles, languages = zip(*spans, strict=True)
    return Window(
        tokens=np.array(tokens, dtype=np.uint16),
        lengths=np.array(lengths),
        roles=np.array(roles, dtype=np.uint8),
        languages=np.array(languages, dtype=np.uint8),
        chunks=np.array(chunks or [0] * len(spans)),
        pairs=np.array(chunks or [0] * len(spans)) // 2,
    )


# BOS, source 11 12, target 21 22, SPLIT, and two of padding.
ONE = window(
    [0, 11, 12, 21, 22, 1, 2, 2],
    [
        (1, Role.BOS, NONE),
        (2, Role.SOURCE, EN),
        (2, Role.TARGET, ES),
        (1, Role.SPLIT, NONE),
        (2, Role.PAD, NONE),
    ],
)


def test_labels_are_the_next_tokens_and_know_their_part() -> None:
    batch = windows_to_batch([ONE, ONE], split_loss=True)
    assert batch.tokens.tolist() == [[0, 11, 12, 21, 22, 1, 2, 2]] * 2
    assert batch.labels.tolist() == [[11, 12, 21, 22, 1, 2, 2, 0]] * 2
    assert batch.loss_mask.tolist() == [[1, 1, 1, 1, 1, 0, 0, 0]] * 2
    parts = [(EN, Role.SOURCE)] * 2 + [(ES, Role.TARGET)] * 2 + [(NONE, Role.SPLIT)]
    assert batch.parts[0, :5].tolist() == [language * len(Role) + role for language, role in parts]
    assert batch.position_ids.tolist() == [list(range(8))] * 2


def test_split_loss_can_be_switched_off() -> None:
    batch = windows_to_batch([ONE], split_loss=False)
    assert batch.loss_mask.tolist() == [[1, 1, 1, 1, 0, 0, 0, 0]]


def test_loss_can_be_on_the_targets_alone() -> None:
    batch = windows_to_batch([ONE], split_loss=True, loss_on="target")
    assert batch.loss_mask.tolist() == [[0, 0, 1, 1, 1, 0, 0, 0]]
    batch = windows_to_batch([ONE], split_loss=False, loss_on="target")
    assert batch.loss_mask.tolist() == [[0, 0, 1, 1, 0, 0, 0, 0]]


def test_the_mask_comes_from_roles_not_from_token_ids() -> None:
    same_ids = window([1, 1, 1, 1], [(3, Role.SOURCE, EN), (1, Role.PAD, NONE)])
    batch = windows_to_batch([same_ids], split_loss=True)
    assert batch.loss_mask.tolist() == [[1, 1, 0, 0]]


@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.sampled_from(Role), st.integers(0, 2)),
        min_size=1,
        max_size=8,
    ),
    st.booleans(),
)
def test_every_counted_label_is_text_of_its_language(
    spans: list[tuple[int, Role, int]], split_loss: bool
) -> None:
    per_token = [(role, language) for length, role, language in spans for _ in range(length)]
    batch = windows_to_batch([window(list(range(len(per_token))), spans)], split_loss=split_loss)
    counted = {Role.SOURCE, Role.TARGET} | ({Role.SPLIT} if split_loss else set())
    expected = [float(role in counted) for role, _ in per_token[1:]] + [0.0]
    assert batch.loss_mask.tolist() == [expected]
    assert batch.parts[0, :-1].tolist() == [
        language * len(Role) + role for role, language in per_token[1:]
    ]


def test_windows_can_be_kept_without_loss() -> None:
    batch = windows_to_batch([ONE, ONE, ONE], split_loss=True)
    assert batch.without_loss(1).loss_mask.sum(1).tolist() == [5, 0, 0]
    assert batch.loss_mask.sum(1).tolist() == [5, 5, 5]


def test_context_ranks_share_early_and_late_tokens() -> None:
    batch = windows_to_batch([ONE], split_loss=True)
    parts = [context_share(batch, context_rank=r, context_size=2) for r in range(2)]
    assert [part.position_ids.tolist() for part in parts] == [[[0, 1, 6, 7]], [[2, 3, 4, 5]]]
    assert parts[1].labels.tolist() == [[21, 22, 1, 2]]
    assert context_share(batch, context_rank=0, context_size=1) is batch


def test_a_batch_moves_as_a_whole() -> None:
    moved = windows_to_batch([ONE], split_loss=True).to(torch.device("meta"))
    assert isinstance(moved, Batch)
    assert moved.labels.device.type == "meta"
    with pytest.raises(AttributeError, match="cannot assign"):
        moved.labels = moved.tokens  # type: ignore[misc]

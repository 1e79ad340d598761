"""Validation: every window once, whatever the layout, and nothing changes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_architecture import TINY
from tiny_runs import SEQ_LENGTH, write_windows

from megatron_crossic.backend import select_backend
from megatron_crossic.config import DataConfig, ParallelConfig, PrecisionConfig
from megatron_crossic.model.build import build_model
from megatron_crossic.parallel import parallel_groups
from megatron_crossic.train.dataset import RunData, open_data
from megatron_crossic.train.optimizer import wrap_for_training
from megatron_crossic.train.order import BatchShare
from megatron_crossic.train.step import StepShape
from megatron_crossic.train.validate import validate, validation_batches


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    prefix = write_windows(tmp_path_factory.mktemp("data") / "x", num_windows=5)
    return open_data(DataConfig(train=(prefix,), validation=(prefix,)))


@given(data_size=st.integers(1, 4), micro_batch_size=st.integers(1, 4))
def test_every_label_counts_once_over_all_ranks(
    data: RunData, data_size: int, micro_batch_size: int
) -> None:
    whole = BatchShare(data_rank=0, data_size=1, micro_batch_size=5)
    (everything,) = validation_batches(data.validation, whole, split_loss=True, num_microbatches=1)
    counted, passes = 0.0, set()
    for rank in range(data_size):
        share = BatchShare(data_rank=rank, data_size=data_size, micro_batch_size=micro_batch_size)
        batches = list(
            validation_batches(
                data.validation,
                share,
                split_loss=True,
                num_microbatches=-(-5 // (data_size * micro_batch_size)),
            )
        )
        passes.add(len(batches))
        counted += sum(batch.loss_mask.sum().item() for batch in batches)
        assert all(len(batch.tokens) == micro_batch_size for batch in batches)
    assert counted == everything.loss_mask.sum().item() > 0
    assert passes == {-(-5 // (data_size * micro_batch_size))}


def test_the_size_of_a_pass_changes_nothing_and_nothing_is_changed(data: RunData) -> None:
    backend = select_backend("cpu")
    parallel, precision = ParallelConfig(), PrecisionConfig(compute="fp32")
    with parallel_groups(parallel, backend, seed=3):
        (model,) = chunks = wrap_for_training(
            [
                build_model(
                    TINY,
                    parallel=parallel,
                    precision=precision,
                    backend=backend,
                    max_sequence_length=SEQ_LENGTH,
                )
            ],
            parallel,
            precision,
        )
        before = {
            name: value.clone() for name, value in model.state_dict().items() if value is not None
        }
        random = torch.get_rng_state()
        reports = [
            validate(
                chunks,
                data.validation,
                BatchShare(data_rank=0, data_size=1, micro_batch_size=size),
                StepShape(
                    languages=data.languages,
                    micro_batch_size=size,
                    seq_length=SEQ_LENGTH,
                    device=backend.device(),
                ),
                split_loss=True,
            )
            for size in (1, 2, 5)
        ]
        assert torch.equal(torch.get_rng_state(), random)
        assert model.training
        assert all(p.grad is None and not p.main_grad.any() for p in model.parameters())
        after = model.state_dict()
        assert all(torch.equal(after[name], value) for name, value in before.items())
    assert reports[0].loss == pytest.approx(reports[1].loss, rel=1e-6)
    assert reports[0].loss == pytest.approx(reports[2].loss, rel=1e-6)
    assert reports[0].num_tokens == reports[1].num_tokens == reports[2].num_tokens > 40
    assert set(reports[0].loss_by_language) == {"en", "es"}

"""What the adapters of a LoRA run add to a layer, and to what a rank keeps of it; sizes alone.

A matrix of n inputs and m outputs that holds p projections gets p * rank * n numbers in A and
rank * m in B. Beside an undivided matrix half of that is on every rank, see `model.lora`. For the
backward pass an adapter keeps, for each token, its inputs after dropout with their mask (a byte)
and the p * rank numbers between A and B twice.
"""

from dataclasses import dataclass

from megatron_crossic.config import LoraConfig, ParallelConfig
from megatron_crossic.model.architecture import ModelArchitecture


@dataclass(frozen=True, kw_only=True, slots=True)
class _Matrix:
    """A fused matrix of the base model, whole."""

    inputs: int
    outputs: int
    projections: int
    is_column: bool
    """Whether tensor ranks divide the outputs; else the inputs."""


def _matrices(architecture: ModelArchitecture) -> dict[str, _Matrix]:
    hidden, ffn = architecture.hidden_size, architecture.ffn_hidden_size
    queries = architecture.num_attention_heads * architecture.head_dim
    with_keys = queries + 2 * architecture.num_query_groups * architecture.head_dim
    return {
        "linear_qkv": _Matrix(inputs=hidden, outputs=with_keys, projections=3, is_column=True),
        "linear_proj": _Matrix(inputs=queries, outputs=hidden, projections=1, is_column=False),
        "linear_fc1": _Matrix(inputs=hidden, outputs=2 * ffn, projections=2, is_column=True),
        "linear_fc2": _Matrix(inputs=ffn, outputs=hidden, projections=1, is_column=False),
    }


def adapter_parameters(
    architecture: ModelArchitecture, lora: LoraConfig, parallel: ParallelConfig
) -> int:
    """Trained numbers of one layer on one rank."""
    total = 0
    for target in lora.targets:
        matrix = _matrices(architecture)[target]
        a, b = matrix.projections * lora.rank * matrix.inputs, lora.rank * matrix.outputs
        divided, whole = (b, a) if matrix.is_column else (a, b)
        total += divided // parallel.tensor + whole
    return total


def adapter_activations(
    architecture: ModelArchitecture,
    lora: LoraConfig,
    parallel: ParallelConfig,
    *,
    bytes_per_number: int,
) -> float:
    """Bytes that the adapters of one layer keep for each token."""
    total = 0.0
    for target in lora.targets:
        matrix = _matrices(architecture)[target]
        is_divided = not matrix.is_column or parallel.sequence
        inputs = matrix.inputs / (parallel.tensor if is_divided else 1)
        between = 2 * matrix.projections * lora.rank
        total += (inputs + between) * bytes_per_number + (inputs if lora.dropout else 0)
    return total

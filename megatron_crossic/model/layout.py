"""Whether a layout divides a model, and whether FP8 can multiply its matrices."""

from megatron_crossic.config import MemoryConfig, ParallelConfig, PrecisionConfig
from megatron_crossic.model.architecture import ModelArchitecture

FP8_MULTIPLE = {"tensorwise": 16, "delayed": 16, "blockwise": 128}
"""What the sides of a matrix must be multiples of: cuBLAS's rule, and the size of a block."""


def layout_problems(architecture: ModelArchitecture, parallel: ParallelConfig) -> list[str]:
    """Every dimension the layout does not divide, as messages naming both numbers."""
    layers = architecture.num_layers
    divided = [
        ("attention heads", architecture.num_attention_heads, "tensor", parallel.tensor),
        ("key/value heads", architecture.num_query_groups, "tensor", parallel.tensor),
        ("feed-forward columns", architecture.ffn_hidden_size, "tensor", parallel.tensor),
        ("vocabulary rows", architecture.padded_vocab_size, "tensor", parallel.tensor),
        ("layers", layers, "pipeline", parallel.pipeline),
    ]
    found = [
        f"parallel.{name} must divide the model's {thing}, got {size} with {number}. "
        f"Use a divisor of {number}."
        for thing, number, name, size in divided
        if number % size
    ]
    chunks = parallel.pipeline * parallel.virtual_pipeline
    if layers % parallel.pipeline == 0 and layers % chunks:
        found.append(
            f"parallel.pipeline * virtual_pipeline must divide the model's layers, got "
            f"{parallel.pipeline} * {parallel.virtual_pipeline} = {chunks} with {layers}. "
            f"Use divisors of {layers}."
        )
    return found


def recompute_problems(
    architecture: ModelArchitecture, parallel: ParallelConfig, memory: MemoryConfig
) -> list[str]:
    """More layers to compute again than a chunk has, as messages."""
    layers = architecture.num_layers // (parallel.pipeline * parallel.virtual_pipeline)
    if memory.recompute != "full" or memory.recompute_num_layers <= layers:
        return []
    return [
        f"memory.recompute_num_layers must be at most the layers of a pipeline chunk, got "
        f"{memory.recompute_num_layers} with {layers}. Lower it."
    ]


def fp8_problems(
    architecture: ModelArchitecture,
    parallel: ParallelConfig,
    precision: PrecisionConfig,
    *,
    seq_length: int,
    micro_batch_size: int,
) -> list[str]:
    """Every side of a matrix that FP8 cannot multiply, as messages naming the field to change."""
    if precision.compute != "fp8":
        return []
    tensor, heads = parallel.tensor, architecture.num_attention_heads
    groups, head_dim = architecture.num_query_groups, architecture.head_dim
    tokens = seq_length * micro_batch_size // parallel.context
    if parallel.sequence:
        tokens //= tensor
    sides = [
        ("the model's hidden_size", architecture.hidden_size, "precision.compute"),
        ("ffn_hidden_size / parallel.tensor", architecture.ffn_hidden_size // tensor, None),
        ("num_attention_heads * head_dim / parallel.tensor", heads * head_dim // tensor, None),
        (
            "(num_attention_heads + 2 * num_query_groups) * head_dim / parallel.tensor",
            (heads + 2 * groups) * head_dim // tensor,
            None,
        ),
        ("tokens of a microbatch on a rank", tokens, "micro_batch_size or --seq-length"),
    ]
    multiple = FP8_MULTIPLE[precision.recipe]
    return [
        f"{name} must be a multiple of {multiple} with precision.compute fp8 and recipe "
        f"{precision.recipe}, got {size}. Change {field or 'parallel.tensor'}, or use bf16."
        for name, size, field in sides
        if size % multiple
    ]

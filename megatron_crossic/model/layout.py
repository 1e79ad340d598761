"""Whether a layout divides a model."""

from megatron_crossic.config import ParallelConfig
from megatron_crossic.model.architecture import ModelArchitecture


def layout_problems(architecture: ModelArchitecture, parallel: ParallelConfig) -> list[str]:
    """Every dimension the layout does not divide, as messages naming both numbers."""
    divided = [
        ("attention heads", architecture.num_attention_heads, "tensor", parallel.tensor),
        ("key/value heads", architecture.num_query_groups, "tensor", parallel.tensor),
        ("feed-forward columns", architecture.ffn_hidden_size, "tensor", parallel.tensor),
        ("vocabulary rows", architecture.padded_vocab_size, "tensor", parallel.tensor),
        ("layers", architecture.num_layers, "pipeline", parallel.pipeline),
    ]
    return [
        f"parallel.{name} must divide the model's {thing}, got {size} with {number}. "
        f"Use a divisor of {number}."
        for thing, number, name, size in divided
        if number % size
    ]

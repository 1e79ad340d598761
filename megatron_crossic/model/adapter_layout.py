"""The sizes of an adapter beside a fused and divided matrix."""

from dataclasses import dataclass

from megatron.core.transformer import TransformerConfig

MODULE = "adapters"
"""Name of the adapters in the model, and so in checkpoints."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AdapterLayout:
    """How one adapter is divided; everything about outputs is this rank's."""

    is_column: bool
    """Whether tensor ranks divide the outputs; else the inputs."""
    tensor_size: int
    num_inputs: int
    """Columns of the whole matrix."""
    num_local_groups: int
    """Query groups of `linear_qkv`, whose rows lie together; 1 elsewhere."""
    group_rows: tuple[int, ...]
    """Rows of every projection in a group: queries, keys and values of one query group."""

    @property
    def num_projections(self) -> int:
        """Matrices of the Hugging Face model that are fused here."""
        return len(self.group_rows)

    @property
    def num_local_outputs(self) -> int:
        """Rows of the matrix on this rank."""
        return self.num_local_groups * sum(self.group_rows)


def adapter_layout(target: str, config: TransformerConfig, *, tensor_size: int) -> AdapterLayout:
    """The layout beside the matrix called `target`."""
    hidden, head = config.hidden_size, config.kv_channels
    heads, groups = config.num_attention_heads, config.num_query_groups
    num_local_groups = 1
    match target:
        case "linear_qkv":
            num_inputs, num_local_groups = hidden, groups // tensor_size
            group_rows: tuple[int, ...] = (heads // groups * head, head, head)
        case "linear_fc1":
            num_inputs, group_rows = hidden, (config.ffn_hidden_size // tensor_size,) * 2
        case "linear_proj":
            num_inputs, group_rows = heads * head, (hidden,)
        case _:
            num_inputs, group_rows = config.ffn_hidden_size, (hidden,)
    return AdapterLayout(
        is_column=target in ("linear_qkv", "linear_fc1"),
        tensor_size=tensor_size,
        num_inputs=num_inputs,
        num_local_groups=num_local_groups,
        group_rows=group_rows,
    )

"""How many floating-point operations training costs, and how many a device can do.

    model TFLOP/s = tokens/s * model_flops_per_token / 1e12
    MFU           = tokens/s a device * model_flops_per_token / peak FLOP/s of that device

Model FLOPs are those the mathematics asks for: activations that are computed again do not count,
nor do padded vocabulary rows, norms, rotary embeddings and the softmax (below 1 %).
"""

import re
from dataclasses import dataclass
from typing import Literal

from megatron_crossic.model.architecture import ModelArchitecture


def model_flops_per_token(
    architecture: ModelArchitecture,
    seq_length: int,
    *,
    causal: bool = True,
    frozen_weights: bool = False,
) -> int:
    """Forward and backward, per token of a window of `seq_length`.

    A weight costs one multiplication and one addition forward and twice that backward: 6 a weight
    that is in a matrix product (Narayanan et al. 2021, arXiv 2104.04473, appendix; PaLM, arXiv
    2204.02311, appendix B). The embedding is a look-up and costs nothing; the output layer counts,
    tied or not. With `frozen_weights` (LoRA) no gradient of a weight is computed, so it costs 4;
    the adapters themselves, 2 to 5 % of the weights at rank 64, are left out.

    A query meets `seq_length` keys in the full formula, which is PaLM's (12 * layers * width *
    seq_length), and half as many in the causal one, which is the work that is really done
    (FlashAttention-2, arXiv 2307.08691, section 4.1).

    Llama-3.1-8B at 8,192: 6 * 7,504,658,432 + 6 * 32 * 4,096 * 8,192 = 51.47e9; full 57.91e9.
    """
    attention_width = architecture.num_attention_heads * architecture.head_dim
    keys = seq_length // 2 if causal else seq_length
    attention = 12 * architecture.num_layers * attention_width * keys
    return (4 if frozen_weights else 6) * matrix_weights(architecture) + attention


def matrix_weights(architecture: ModelArchitecture) -> int:
    """Weights that every token is multiplied with."""
    hidden = architecture.hidden_size
    query_width = architecture.num_attention_heads * architecture.head_dim
    key_value_width = 2 * architecture.num_query_groups * architecture.head_dim
    projections = hidden * (query_width + key_value_width) + query_width * hidden
    feed_forward = 3 * hidden * architecture.ffn_hidden_size  # gate, up, down
    layers = architecture.num_layers * (projections + feed_forward)
    return layers + architecture.vocab_size * hidden


@dataclass(frozen=True, kw_only=True, slots=True)
class DevicePeak:
    """Dense tensor-core throughput of one device, as its maker gives it."""

    name: str
    """Pattern of the name that PyTorch reports."""
    bf16: float
    """FLOP/s."""
    fp8: float | None
    """FLOP/s; None where the device has no FP8."""
    source: str


# The data sheets of newer devices give figures with sparsity; the dense ones are half of them.
PEAKS = (
    DevicePeak(name=r"\bGB200\b", bf16=2500e12, fp8=5000e12, source="NVIDIA GB200 data sheet"),
    DevicePeak(name=r"\bB200\b", bf16=2250e12, fp8=4500e12, source="NVIDIA HGX B200 data sheet"),
    DevicePeak(name=r"\bH[12]00 NVL\b", bf16=835e12, fp8=1671e12, source="NVIDIA H200 data sheet"),
    DevicePeak(name=r"\bH100 PCIe\b", bf16=756e12, fp8=1513e12, source="NVIDIA H100 data sheet"),
    DevicePeak(name=r"\bG?H[12]00\b", bf16=989e12, fp8=1979e12, source="NVIDIA H100 data sheet"),
    DevicePeak(name=r"\bA100\b", bf16=312e12, fp8=None, source="NVIDIA A100 data sheet"),
    DevicePeak(name=r"\bL40S\b", bf16=362e12, fp8=733e12, source="NVIDIA L40S data sheet"),
    DevicePeak(name=r"\bL4\b", bf16=121e12, fp8=242e12, source="NVIDIA L4 data sheet"),
)
"""The first whose name fits counts, so special models stand before the usual one."""


def peak_flops(device_name: str, compute: Literal["fp32", "bf16", "fp8"]) -> float | None:
    """Peak FLOP/s of a device by `torch.cuda.get_device_name()`.

    None where it is not known: another device, a MIG slice (whose share the name does not tell in
    FLOP/s), or fp32, for which nobody computes an MFU.
    """
    if compute == "fp32" or "MIG" in device_name:
        return None
    for peak in PEAKS:
        if re.search(peak.name, device_name):
            return peak.fp8 if compute == "fp8" else peak.bf16
    return None

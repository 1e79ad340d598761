"""Bytes one rank needs, estimated from the sizes alone: what a dry run prints.

Weights, gradients and optimizer state are exact up to the padding of buffers. Activations follow
a formula in the manner of Korthikanti et al. 2022 (arXiv 2205.05198), for layers with fused
attention, a gated MLP and no dropout. A layer keeps, for each token of a microbatch,

    4 h + ((2 a + 2 g) d + 3 f) / tp    numbers

h: both inputs of norms and both outputs; (a + 2 g) d: queries, keys and values; a d: output of the
attention; 3 f: gate, up and their product; h is divided by tp too under sequence parallelism.
Recomputing the MLP saves the 3 f, recomputing a layer everything but its input h.
The last stage adds logits, once in the compute format and once in fp32 for the loss. A LoRA run has
gradients and optimizer state of its adapters alone; what they add is in `model.adapter_memory`.
Workspaces, fragmentation and what NCCL and CUDA take (some GB) come on top.
"""

from dataclasses import dataclass, replace

from megatron_crossic.config import LoraConfig, MemoryConfig, ParallelConfig, PrecisionConfig
from megatron_crossic.model.adapter_memory import adapter_activations, adapter_parameters
from megatron_crossic.model.architecture import ModelArchitecture


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryEstimate:
    """Bytes of one rank."""

    parameters: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.parameters + self.gradients + self.optimizer + self.activations


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What a rank works on."""

    seq_length: int
    micro_batch_size: int
    num_microbatches: int
    data_size: int


def estimate_memory(
    architecture: ModelArchitecture,
    *,
    parallel: ParallelConfig,
    precision: PrecisionConfig,
    memory: MemoryConfig,
    load: Load,
    lora: LoraConfig | None = None,
) -> MemoryEstimate:
    """The rank that needs most: one of the first or of the last pipeline stage."""
    stages = {0, parallel.pipeline - 1}
    estimates = [
        _stage_memory(architecture, parallel, precision, memory, load, lora, stage=stage)
        for stage in stages
    ]
    return max(estimates, key=lambda estimate: estimate.total)


def _stage_memory(
    architecture: ModelArchitecture,
    parallel: ParallelConfig,
    precision: PrecisionConfig,
    memory: MemoryConfig,
    load: Load,
    lora: LoraConfig | None,
    *,
    stage: int,
) -> MemoryEstimate:
    count = trained = num_parameters(architecture, parallel, stage=stage)
    if lora is not None:
        layers = architecture.num_layers // parallel.pipeline
        trained = layers * adapter_parameters(architecture, lora, parallel)
        count += trained
    reduced = precision.compute != "fp32"
    # Two moments in fp32; in reduced precision the main weights as well.
    optimizer = trained * (12 if reduced else 8)
    if parallel.distributed_optimizer:
        optimizer = -(-optimizer // load.data_size)
    return MemoryEstimate(
        parameters=count * (2 if reduced else 4),
        gradients=trained * (2 if precision.grad_reduce == "bf16" else 4),
        optimizer=optimizer,
        activations=_activations(
            architecture, parallel, precision, memory, load, lora, stage=stage
        ),
    )


def num_parameters(architecture: ModelArchitecture, parallel: ParallelConfig, *, stage: int) -> int:
    """Weights on one rank of a pipeline stage."""
    hidden, tensor = architecture.hidden_size, parallel.tensor
    queries = architecture.num_attention_heads * architecture.head_dim
    with_keys = queries + 2 * architecture.num_query_groups * architecture.head_dim
    matrices = hidden * (with_keys + queries + 3 * architecture.ffn_hidden_size)
    biases = with_keys if architecture.qkv_bias else 0
    layer = (matrices + biases) // tensor + 2 * hidden
    total = layer * (architecture.num_layers // parallel.pipeline)
    table = architecture.padded_vocab_size * hidden // tensor
    is_last = stage == parallel.pipeline - 1
    if stage == 0:
        total += table
    if is_last:
        total += hidden  # the last norm
        # Tied to the embedding it is the same table, but another stage needs a copy of it.
        if not architecture.tie_embeddings or stage > 0:
            total += table
    return total


def _activations(
    architecture: ModelArchitecture,
    parallel: ParallelConfig,
    precision: PrecisionConfig,
    memory: MemoryConfig,
    load: Load,
    lora: LoraConfig | None,
    *,
    stage: int,
) -> int:
    size = 4 if precision.compute == "fp32" else 2
    tokens = load.seq_length * load.micro_batch_size // parallel.context
    layers = architecture.num_layers // parallel.pipeline
    numbers = _layer_numbers(architecture, parallel, memory)
    if lora is not None:
        added = adapter_activations(architecture, lora, parallel, bytes_per_number=size) / size
        numbers = replace(numbers, full=numbers.full + added)
    kept = layers * numbers.full
    if memory.recompute == "full":
        units = _kept_units(layers, parallel, memory)
        # What is computed again is there for one unit at a time.
        kept = units.inputs * numbers.entry + (units.whole + units.live) * numbers.full
    in_flight = microbatches_in_flight(parallel, load.num_microbatches, stage=stage)
    total = int(tokens * size * kept * in_flight)
    if stage == parallel.pipeline - 1:
        total += tokens * architecture.padded_vocab_size // parallel.tensor * (size + 4)
    return total


@dataclass(frozen=True, kw_only=True, slots=True)
class _Numbers:
    """Numbers a layer keeps for each token."""

    full: float
    entry: float


def _layer_numbers(
    architecture: ModelArchitecture, parallel: ParallelConfig, memory: MemoryConfig
) -> _Numbers:
    entry = architecture.hidden_size / (parallel.tensor if parallel.sequence else 1)
    heads = architecture.num_attention_heads + architecture.num_query_groups
    shared = 2 * heads * architecture.head_dim
    if not (memory.recompute == "selective" and "mlp" in memory.recompute_modules):
        shared += 3 * architecture.ffn_hidden_size
    return _Numbers(full=4 * entry + shared / parallel.tensor, entry=entry)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Units:
    """Layers of a rank under full recompute."""

    inputs: int
    """Inputs that are kept."""
    whole: int
    """Layers that keep everything."""
    live: int
    """Layers computed again at one time."""


def _kept_units(layers: int, parallel: ParallelConfig, memory: MemoryConfig) -> _Units:
    number = memory.recompute_num_layers
    if memory.recompute_method == "uniform":
        return _Units(inputs=-(-layers // number), whole=0, live=number)
    again = number * parallel.virtual_pipeline
    return _Units(inputs=again, whole=layers - again, live=1)


def microbatches_in_flight(parallel: ParallelConfig, num_microbatches: int, *, stage: int) -> float:
    """How many microbatches' activations of all its layers a stage holds at once.

    The first of 4 stages starts 4 microbatches before the first comes back. Interleaved, with
    v chunks, a rank holds 1 + (p - 1) / (p v) times as much (arXiv 2205.05198, section 4.2.3).
    """
    size, chunks = parallel.pipeline, parallel.virtual_pipeline
    if chunks > 1:
        return min(size * (1 + (size - 1) / (size * chunks)), num_microbatches)
    return min(size - stage, num_microbatches)

"""The parts of the GPU check: parity with the CPU, speed, the loss in two formats."""

import gc
import statistics
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from bare_step import BareTrainer, bare_trainer
from gpu_check_cases import TINY, Attempt, Compute, Plan, Workload
from gpu_check_profile import profile_step
from torch import Tensor

from megatron_crossic.backend import Backend, select_backend
from megatron_crossic.config import ParallelConfig, PrecisionConfig, raise_problems
from megatron_crossic.model.architecture import ModelArchitecture, architecture_from_hf
from megatron_crossic.train.flops import model_flops_per_token, peak_flops

NUM_WARM_UP_STEPS = 3
NUM_PARITY_STEPS = 5
PARITY_WINDOWS, PARITY_SEQ_LENGTH = 4, 64
PARITY_RATE, GAP_RATE = 1e-2, 3e-4
PARITY_BOUND = 1e-5
PARITY_BOUND_TE = 2e-3
"""Transformer Engine multiplies fp32 matrices in TF32, which keeps 10 bits of the mantissa."""
NOISE = 0.1
"""Share of tokens that do not follow from the one before."""


def parity(backend: Backend) -> dict[str, Any]:
    """Losses of a tiny model in fp32, same weights and tokens, on the CPU and on the device."""
    architecture = architecture_from_hf(TINY)
    tokens = learnable_tokens(
        architecture.vocab_size, num_windows=PARITY_WINDOWS, seq_length=PARITY_SEQ_LENGTH, seed=0
    )
    losses = {}
    weights: dict[str, Tensor] = {}
    for place, where in (("cpu", select_backend("cpu")), ("device", backend)):
        with bare_trainer(
            architecture,
            compute="fp32",
            backend=where,
            seq_length=PARITY_SEQ_LENGTH,
            micro_batch_size=PARITY_WINDOWS,
            rate=PARITY_RATE,
        ) as trainer:
            if weights:
                copy_weights(weights, to=trainer.model.module.state_dict())
            else:
                weights = own_weights(trainer)
            moved = tokens.to(where.device())
            losses[place] = [trainer.step_on(moved) for _ in range(NUM_PARITY_STEPS)]
    pairs = zip(losses["cpu"], losses["device"], strict=True)
    difference = max(abs(a - b) / abs(a) for a, b in pairs)
    bound = PARITY_BOUND_TE if backend.has_transformer_engine() else PARITY_BOUND
    return {
        "losses": losses,
        "largest_relative_difference": difference,
        "bound": bound,
        "agrees": difference <= bound,
    }


def own_weights(trainer: BareTrainer) -> dict[str, Tensor]:
    """Name in megatron-core's local layers -> a copy of the tensor on the CPU."""
    state = trainer.model.module.state_dict()
    return {name: t.detach().cpu().clone() for name, t in state.items() if isinstance(t, Tensor)}


def copy_weights(weights: Mapping[str, Tensor], *, to: Mapping[str, Tensor]) -> None:
    """Copy weights of local layers into a model that may have Transformer Engine's layers.

    Those hold the norm before a matrix together with the matrix.
    """
    for name, value in weights.items():
        fused = name.replace("input_layernorm.", "self_attention.linear_qkv.layer_norm_")
        fused = fused.replace("pre_mlp_layernorm.", "mlp.linear_fc1.layer_norm_")
        to[name if name in to else fused].copy_(value)


def free_memory(backend: Backend) -> None:
    """Give back what earlier models held; they and their gradient buffers refer to each other."""
    gc.collect()
    if backend.NAME == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def speed(
    workload: Workload, compute: Compute, backend: Backend, *, num_steps: int
) -> dict[str, Any]:
    """Time, rates, memory and profile of a training step; fewer layers where memory is short."""
    raise_problems(backend.problems(ParallelConfig(), PrecisionConfig(compute=compute)))
    did_not_fit: list[str] = []
    for attempt in workload.attempts:
        try:
            found = _timed(workload, attempt, compute, backend, num_steps=num_steps)
        except torch.cuda.OutOfMemoryError:
            did_not_fit.append(f"{attempt.num_layers} layers, {attempt.micro_batch_size} a pass")
        else:
            return {**found, "did_not_fit": did_not_fit}
    return {"error": f"out of memory with {'; '.join(did_not_fit)}"}


def _timed(
    workload: Workload, attempt: Attempt, compute: Compute, backend: Backend, *, num_steps: int
) -> dict[str, Any]:
    architecture = workload.architecture(attempt)
    is_cuda = backend.NAME == "cuda"
    free_memory(backend)
    with bare_trainer(
        architecture,
        compute=compute,
        backend=backend,
        seq_length=workload.seq_length,
        micro_batch_size=attempt.micro_batch_size,
    ) as trainer:
        shape = (workload.windows_per_step, workload.seq_length)
        tokens = torch.randint(0, architecture.vocab_size, shape, device=backend.device())
        for _ in range(NUM_WARM_UP_STEPS):
            trainer.timed_step(tokens)
        seconds = [trainer.timed_step(tokens)[1] for _ in range(num_steps)]
        memory = backend.peak_memory_bytes()
        profiled = profile_step(lambda: trainer.step_on(tokens), cuda=is_cuda)
        num_weights = sum(parameter.numel() for parameter in trainer.model.parameters())
    figures = rates(architecture, workload, compute, seconds, device_name(backend))
    profiled["busy"] = round(profiled["kernel_seconds"] / figures["seconds_median"], 4)
    return {
        "num_layers": attempt.num_layers,
        "num_weights": num_weights,
        "seq_length": workload.seq_length,
        "micro_batch_size": attempt.micro_batch_size,
        "tokens_per_step": tokens.numel(),
        **figures,
        "peak_memory_bytes": memory,
        "profile": profiled,
    }


def rates(
    architecture: ModelArchitecture,
    workload: Workload,
    compute: Compute,
    seconds: list[float],
    device: str,
) -> dict[str, Any]:
    """Tokens/s and TFLOP/s of the median step, by both formulas; MFU where the peak is known."""
    median = statistics.median(seconds)
    tokens_per_second = workload.windows_per_step * workload.seq_length / median
    peak = peak_flops(device, compute)
    figures: dict[str, Any] = {
        "seconds_median": median,
        "seconds_fastest": min(seconds),
        "seconds_slowest": max(seconds),
        "tokens_per_second": tokens_per_second,
        "peak_tflops": peak and peak / 1e12,
    }
    for formula, causal in (("causal", True), ("full", False)):
        each = model_flops_per_token(architecture, workload.seq_length, causal=causal)
        figures[f"tflops_{formula}"] = tokens_per_second * each / 1e12
        figures[f"mfu_{formula}"] = peak and tokens_per_second * each / peak
    return figures


def loss_gap(plan: Plan, backend: Backend) -> dict[str, Any]:
    """The same steps in two number formats: how far the losses are apart."""
    for compute in plan.gap_formats:
        raise_problems(backend.problems(ParallelConfig(), PrecisionConfig(compute=compute)))
    reference, other = (list(_losses(plan, compute, backend)) for compute in plan.gap_formats)
    differences = [b - a for a, b in zip(reference, other, strict=True)]
    return {
        "formats": list(plan.gap_formats),
        "num_steps": plan.num_gap_steps,
        "losses": dict(zip(plan.gap_formats, (reference, other), strict=True)),
        "last_10_steps": statistics.fmean(differences[-10:]),
        "largest": max(differences, key=abs),
    }


def _losses(plan: Plan, compute: Compute, backend: Backend) -> Iterator[float]:
    architecture = architecture_from_hf(plan.gap_model)
    with bare_trainer(
        architecture,
        compute=compute,
        backend=backend,
        seq_length=plan.gap_seq_length,
        micro_batch_size=plan.gap_windows,
        rate=GAP_RATE,
    ) as trainer:
        for step in range(plan.num_gap_steps):
            tokens = learnable_tokens(
                architecture.vocab_size,
                num_windows=plan.gap_windows,
                seq_length=plan.gap_seq_length,
                seed=step,
            )
            yield trainer.step_on(tokens.to(backend.device()))


def learnable_tokens(vocab_size: int, *, num_windows: int, seq_length: int, seed: int) -> Tensor:
    """Windows [windows, seq] in which nine tokens of ten follow from the one before.

    Noise alone would teach nothing, and losses that stay where they are differ in nothing.
    """
    successor = torch.randperm(vocab_size, generator=torch.Generator().manual_seed(0))
    random = torch.Generator().manual_seed(seed + 1)
    tokens = torch.randint(0, vocab_size, (num_windows, seq_length), generator=random)
    follows = torch.rand((num_windows, seq_length), generator=random) >= NOISE
    for i in range(1, seq_length):
        tokens[:, i] = torch.where(follows[:, i], successor[tokens[:, i - 1]], tokens[:, i])
    return tokens


def device_name(backend: Backend) -> str:
    """The name that the table of peaks knows a device by."""
    return torch.cuda.get_device_name() if backend.NAME == "cuda" else "cpu"

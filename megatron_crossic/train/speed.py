"""How fast a run is: its own figures, and what share of the device they are.

    tflops = tokens/s a device * FLOPs a token / 1e12
    mfu    = tokens/s a device * FLOPs a token / peak FLOP/s of the device

All tokens of the windows count, padding too: the device computes them. `train.flops` has the FLOPs
of a token (causal formula) and the peaks.
"""

from dataclasses import dataclass

from megatron_crossic.backend import Backend
from megatron_crossic.train.clock import Spent
from megatron_crossic.train.flops import model_flops_per_token, peak_flops
from megatron_crossic.train.plan import RunPlan


@dataclass(frozen=True, kw_only=True, slots=True)
class StepSpeed:
    """Time and memory of one step, as `metrics.jsonl` has them."""

    tokens_per_second: float
    """All tokens of the global batch, over all ranks."""
    tokens_per_second_per_device: float
    tflops: float
    """Model TFLOP/s of one device by the causal formula of `train.flops`."""
    mfu: float | None
    """Share of the device's peak, from 0 to 1; None where the peak is not known."""
    seconds: float
    """From the first pass to the updated weights, on rank 0."""
    data_seconds: float
    """The longest any rank took to make its windows ready."""
    wait_seconds: float
    """The longest any rank waited, after its last backward pass, for the gradients and losses of
    all to be added: for slower ranks, and for the transfer."""
    reduction_seconds: float
    """The shortest: the rank that comes last waits for nobody, so this is the transfer alone."""
    update_seconds: float
    """Gradient norm, clipping, optimizer and gathering of weights, on rank 0."""
    memory_bytes: int
    """Memory rank 0 uses on its device after the step."""
    reserved_memory_bytes: int | None
    """What PyTorch keeps on the GPU, used or not; None on the CPU."""
    peak_memory_bytes: int
    """Most memory rank 0 has used since it started."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """What turns tokens a second into figures of a device."""

    flops_per_token: int
    frozen_weights: bool
    seq_length: int
    num_devices: int
    device_name: str
    compute: str
    peak: float | None
    """FLOP/s of one device; None where it is not known."""

    def tflops(self, tokens_per_second: float) -> float:
        """Model TFLOP/s of one device, from the tokens a second of all."""
        return tokens_per_second / self.num_devices * self.flops_per_token / 1e12

    def mfu(self, tokens_per_second: float) -> float | None:
        """Share of the peak, from 0 to 1."""
        return None if self.peak is None else self.tflops(tokens_per_second) * 1e12 / self.peak

    def figures(
        self,
        backend: Backend,
        spent: Spent,
        *,
        num_tokens: int,
        seconds: float,
        update_seconds: float,
    ) -> StepSpeed:
        """The figures of a step of `num_tokens` over all ranks."""
        tokens_per_second = num_tokens / seconds
        return StepSpeed(
            tokens_per_second=tokens_per_second,
            tokens_per_second_per_device=tokens_per_second / self.num_devices,
            tflops=self.tflops(tokens_per_second),
            mfu=self.mfu(tokens_per_second),
            seconds=seconds,
            data_seconds=spent.data,
            wait_seconds=spent.wait,
            reduction_seconds=spent.reduction,
            update_seconds=update_seconds,
            memory_bytes=backend.memory_bytes(),
            reserved_memory_bytes=backend.reserved_memory_bytes(),
            peak_memory_bytes=backend.peak_memory_bytes(),
        )

    def opening(self) -> str:
        """What is counted, said once at the start of a run."""
        each = "4 (weights are frozen)" if self.frozen_weights else "6"
        peak = (
            f"no MFU: no peak is known for {self.device_name} in {self.compute}"
            if self.peak is None
            else f"MFU of {self.peak / 1e12:g} TFLOP/s, the dense {self.compute} peak of "
            f"{self.device_name}"
        )
        return (
            f"counting {self.flops_per_token / 1e9:.4g} GFLOP a token = {each} * weights in matrix "
            f"products + causal attention over {self.seq_length:,} tokens; {peak}"
        )


def speed_of(plan: RunPlan, backend: Backend) -> Speed:
    """The speed figures of a run."""
    frozen = plan.config.lora is not None
    compute = plan.config.precision.compute
    return Speed(
        flops_per_token=model_flops_per_token(
            plan.architecture, plan.data.seq_length, frozen_weights=frozen
        ),
        frozen_weights=frozen,
        seq_length=plan.data.seq_length,
        num_devices=plan.world_size,
        device_name=backend.device_name(),
        compute=compute,
        peak=peak_flops(backend.device_name(), compute),
    )

"""Proof of a conversion: the same bits both ways, and the same logits from both implementations.

The logits need both models in fp32 in memory, one after the other: 4 bytes per parameter. They are
computed on the CPU wherever this runs: GPU kernels round fp32 products to TF32 (Transformer Engine
always does), which is 1e-3 and would hide what is compared.
"""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from megatron_crossic.backend import select_backend
from megatron_crossic.checkpoint.folder import find_checkpoint
from megatron_crossic.checkpoint.state import load_adapters, load_weights
from megatron_crossic.config import ParallelConfig, PrecisionConfig
from megatron_crossic.convert.adapters import TrainedAdapters, WeightReader
from megatron_crossic.convert.from_hf import stored_dtypes
from megatron_crossic.convert.safetensors_folder import TensorFile, open_folder, read_tensor
from megatron_crossic.convert.to_hf import checked_architecture
from megatron_crossic.errors import CheckpointError
from megatron_crossic.files import write_text_atomically
from megatron_crossic.model.architecture import ModelArchitecture
from megatron_crossic.model.build import CrossicGPTModel, build_model
from megatron_crossic.model.lora import add_adapters, merge_adapters
from megatron_crossic.model.weights import Weight, weights
from megatron_crossic.parallel import parallel_groups

TOLERANCE = 1e-4
"""Largest difference in fp32, relative to the largest logit; sums are done in another order."""
NUM_WINDOWS = 2
WINDOW_LENGTH = 256
"""Long enough to see wrong rotary frequencies, which move far tokens more than near ones.

On a fresh model logits show little of such a mistake and the loss nearly nothing. Measured with
hidden size 64: without its RoPE scaling the logits differ by 4e-4 and the loss by 3e-6; with
another scaling factor by 4e-5 and 0. Weights as strong as trained ones show 0.5 and 0.04 in the
logits (all relative to the largest logit).
"""
SEED = 1234


@dataclass(frozen=True, kw_only=True, slots=True)
class ParityReport:
    """How a Hugging Face folder and a checkpoint compare."""

    num_tensors: int
    different_tensors: tuple[str, ...]
    """Tensors whose bits differ after conversion in either direction."""
    num_tokens: int
    """Random tokens that both models read."""
    max_absolute: float
    """Largest difference of a logit."""
    max_relative: float
    """The same, divided by the largest logit."""
    top1_agreement: float
    """Share of positions where both models predict the same token."""
    hf_loss: float
    megatron_loss: float

    @property
    def num_equal(self) -> int:
        """Tensors that are the same bits in both."""
        return self.num_tensors - len(self.different_tensors)

    def problems(self, *, tolerance: float = TOLERANCE) -> list[str]:
        """What is not as it must be, as messages."""
        found = []
        if self.different_tensors:
            found.append(
                f"tensors must be equal bit for bit, got {len(self.different_tensors)} different, "
                f"{self.different_tensors[0]} first. The files were changed after conversion: "
                "convert again."
            )
        measured = {
            "largest relative logit difference": self.max_relative,
            "loss difference": abs(self.hf_loss - self.megatron_loss),
        }
        found += [
            f"{name} must be at most {tolerance:g}, got {value:.3g}. Do not train from or publish "
            "this conversion; report the config.json."
            for name, value in measured.items()
            if not value <= tolerance  # NaN is a problem too
        ]
        return found

    def check(self, *, tolerance: float = TOLERANCE) -> None:
        """Raise one `CheckpointError` with every problem."""
        if found := self.problems(tolerance=tolerance):
            raise CheckpointError("\n       ".join(found))


def compare(*, hf: Path, checkpoint: Path, base: Path | None = None) -> ParityReport:
    """Compare a Hugging Face folder with the newest checkpoint under `checkpoint`, or that step."""
    step = find_checkpoint(checkpoint)
    architecture = checked_architecture(step)
    reader = WeightReader(step, base=base)
    files = open_folder(hf)
    tokens = random_tokens(architecture)
    hf_logits, hf_loss = run_transformers(hf, tokens)
    logits, loss = run_megatron(step, architecture, files, tokens, adapters=reader.adapters)
    difference = (hf_logits - logits).abs().max().item()
    return ParityReport(
        num_tensors=sum(len(weight.hf_shapes()) for weight in weights(architecture)),
        different_tensors=tuple(different_tensors(architecture, files, reader)),
        num_tokens=tokens.numel(),
        max_absolute=difference,
        max_relative=difference / hf_logits.abs().max().item(),
        top1_agreement=(hf_logits.argmax(-1) == logits.argmax(-1)).float().mean().item(),
        hf_loss=hf_loss,
        megatron_loss=loss,
    )


def write_report(path: Path, report: ParityReport) -> None:
    """Write the report as JSON."""
    write_text_atomically(path, json.dumps(dataclasses.asdict(report), indent=2) + "\n")


def random_tokens(architecture: ModelArchitecture) -> Tensor:
    """The same random windows every time  # [batch, seq]"""
    length = min(WINDOW_LENGTH, architecture.max_position_embeddings)
    generator = torch.Generator().manual_seed(SEED)
    return torch.randint(architecture.vocab_size, (NUM_WINDOWS, length), generator=generator)


def different_tensors(
    architecture: ModelArchitecture, files: dict[str, TensorFile], reader: WeightReader
) -> Iterator[str]:
    """Names of Hugging Face tensors that are not what the checkpoint holds, in either direction."""
    for weight in weights(architecture):
        originals = {name: read_tensor(name, files[name]) for name in weight.hf_shapes()}
        stored = reader.read(weight)
        exported = weight.to_hf(stored)
        imported = _imports_to(weight, originals, stored)
        for name, original in originals.items():
            if not imported or not same_bits(exported[name].to(original.dtype), original):
                yield name


def _imports_to(weight: Weight, originals: dict[str, Tensor], stored: Tensor) -> bool:
    """Whether the merged originals are what is stored, in the narrower of the two formats."""
    merged = weight.to_megatron([tensor.to(stored.dtype) for tensor in originals.values()])
    narrow = min((t.dtype for t in originals.values()), key=lambda dtype: dtype.itemsize)
    return same_bits(merged.to(narrow), stored.to(narrow))


def same_bits(left: Tensor, right: Tensor) -> bool:
    """Whether two tensors have the same format, shape and bytes; NaN equals itself, -0 not 0."""
    if (left.dtype, left.shape) != (right.dtype, right.shape):
        return False
    return torch.equal(left.contiguous().view(torch.uint8), right.contiguous().view(torch.uint8))


@torch.no_grad()
def run_transformers(hf: Path, tokens: Tensor) -> tuple[Tensor, float]:
    """Logits [batch, seq, vocab] and mean loss of transformers in fp32."""
    transformers_logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(hf, dtype=torch.float32, local_files_only=True)
    output = model.eval()(tokens, labels=tokens, use_cache=False)
    return output.logits, output.loss.item()


@torch.no_grad()
def run_megatron(
    step: Path,
    architecture: ModelArchitecture,
    files: dict[str, TensorFile],
    tokens: Tensor,
    *,
    adapters: TrainedAdapters | None = None,
) -> tuple[Tensor, float]:
    """Logits [batch, seq, vocab] and mean loss of our model in fp32, in this process alone."""
    parallel, backend = ParallelConfig(), select_backend("cpu")
    with parallel_groups(parallel, backend, seed=SEED):
        model = build_model(
            architecture,
            parallel=parallel,
            precision=PrecisionConfig(compute="fp32"),
            backend=backend,
            max_sequence_length=tokens.shape[1],
            initialize=False,
        )
        load_weights(adapters.base if adapters else step, model)
        if adapters:
            add_adapters(model, adapters.lora, seed=SEED)
            load_adapters(step, model)
            merge_adapters(model)
        _round(model, stored_dtypes(architecture, files))
        positions = torch.arange(tokens.shape[1]).expand_as(tokens)
        logits = model(tokens, positions, None)[..., : architecture.vocab_size]
        # The last position has no next token; rolling gives it the first one, which is cut off.
        losses = model(tokens, positions, None, labels=tokens.roll(-1, dims=1))[:, :-1]
        return logits.float(), losses.mean().item()


def _round(model: CrossicGPTModel, dtypes: dict[str, torch.dtype]) -> None:
    """Give the weights the precision of the files, where training keeps more digits than those."""
    for part in model.sharded_state_dict(prefix="model.").values():
        if part.key in dtypes:
            part.data.copy_(part.data.to(dtypes[part.key]))

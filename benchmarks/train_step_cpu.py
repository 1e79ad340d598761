"""Measures the training step on the CPU against a plain `transformers` loop.

Same architecture and weights' sizes, same windows, same optimizer (fused AdamW, clipping at 1.0),
same number of threads, in one process: single steps of both alternate, so that a slow moment of
the machine hits both, and medians are compared. Prints tokens a second of each and their ratio;
above 1.0 ours is faster.

    python benchmarks/train_step_cpu.py --threads 2
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import transformers
from torch import Tensor

from megatron_crossic.backend import select_backend
from megatron_crossic.commandline import run
from megatron_crossic.config import OptimizerConfig, ParallelConfig, PrecisionConfig
from megatron_crossic.model.architecture import ModelArchitecture, architecture_from_hf
from megatron_crossic.model.build import build_model
from megatron_crossic.parallel import parallel_groups
from megatron_crossic.train.batches import Batch
from megatron_crossic.train.optimizer import build_optimizer, set_rate, wrap_for_training
from megatron_crossic.train.step import StepShape, run_microbatches

RATE = 1e-4
OPTIMIZER = OptimizerConfig()
Step = Callable[[], float]
"""Does one training step and returns its loss."""


def main() -> None:
    """Measure and print."""
    options = parse()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    config = hf_config(options)
    tokens = torch.randint(0, options.vocab_size, (options.batch, options.seq_length))
    backend = select_backend("cpu")
    theirs = transformers_step(config, tokens)
    with parallel_groups(ParallelConfig(), backend, seed=0):
        ours = our_step(architecture_from_hf(config.to_dict()), tokens)
        seconds = alternate({"ours": ours, "transformers": theirs}, options)
    report = summary(seconds, options)
    print(json.dumps(report, indent=2))
    if options.output is not None:
        options.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--batch", type=int, default=8, help="windows a step")
    parser.add_argument("--seq-length", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--hidden-size", type=int, default=192)
    parser.add_argument("--vocab-size", type=int, default=8000)
    parser.add_argument("--output", type=Path, help="also write the report to this JSON file")
    return parser.parse_args()


def hf_config(options: argparse.Namespace) -> transformers.Qwen2Config:
    """A Qwen2 of the demo's proportions: heads of 32, two query heads a key/value head."""
    heads = options.hidden_size // 32
    return transformers.Qwen2Config(
        hidden_size=options.hidden_size,
        intermediate_size=3 * options.hidden_size,
        num_hidden_layers=options.layers,
        num_attention_heads=heads,
        num_key_value_heads=heads // 2,
        vocab_size=options.vocab_size,
        max_position_embeddings=options.seq_length,
        tie_word_embeddings=True,
        use_cache=False,
    )


def transformers_step(config: transformers.Qwen2Config, tokens: Tensor) -> Step:
    """The loop of a script on `transformers`: the model's own loss, PyTorch's own optimizer."""
    model = transformers.Qwen2ForCausalLM(config)
    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": OPTIMIZER.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=RATE,
        betas=(OPTIMIZER.beta1, OPTIMIZER.beta2),
        eps=OPTIMIZER.epsilon,
        fused=True,
    )

    def step() -> float:
        # Our CPU backend redirects devices through a torch function mode; theirs runs without it.
        with torch._C.DisableTorchFunction():
            optimizer.zero_grad()
            loss = model(input_ids=tokens, labels=tokens).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), OPTIMIZER.clip_grad)
            optimizer.step()
            return loss.item()

    return step


def our_step(architecture: ModelArchitecture, tokens: Tensor) -> Step:
    """The training step of `megatron_crossic.train`, with everything it reports."""
    backend = select_backend("cpu")
    parallel, precision = ParallelConfig(), PrecisionConfig(compute="fp32")
    num_windows, seq_length = tokens.shape
    chunks = wrap_for_training(
        [
            build_model(
                architecture,
                parallel=parallel,
                precision=precision,
                backend=backend,
                max_sequence_length=seq_length,
            )
        ],
        parallel,
        precision,
    )
    optimizer = build_optimizer(chunks, OPTIMIZER, parallel=parallel, precision=precision)
    batch = windows_without_spans(tokens)
    shape = StepShape(
        languages=("en", "es"),
        micro_batch_size=num_windows,
        seq_length=seq_length,
        device=backend.device(),
    )

    def step() -> float:
        chunks[0].zero_grad_buffer()
        optimizer.zero_grad()
        report = run_microbatches(chunks, iter([batch]), shape, num_microbatches=1)
        set_rate(optimizer, OPTIMIZER, rate=RATE)
        optimizer.step()
        return report.loss

    return step


def windows_without_spans(tokens: Tensor) -> Batch:
    """Every token but the first of a window is a label of the first language."""
    mask = torch.ones_like(tokens, dtype=torch.float32)
    mask[:, -1] = 0
    return Batch(
        tokens=tokens,
        labels=tokens.roll(-1, dims=1),
        loss_mask=mask,
        languages=torch.zeros_like(tokens),
        position_ids=torch.arange(tokens.shape[1]).expand_as(tokens),
    )


def alternate(steps: dict[str, Step], options: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds of every step; the first three of each warm up and do not count."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(-3, options.rounds):
        for name, step in steps.items():
            started = time.perf_counter()
            loss = step()
            elapsed = time.perf_counter() - started
            if number >= 0:
                seconds[name].append(elapsed)
        if number % 5 == 0:
            sys.stderr.write(f"round {number}/{options.rounds}  loss of the last step {loss:.4f}\n")
    return seconds


def summary(seconds: dict[str, list[float]], options: argparse.Namespace) -> dict[str, object]:
    """Medians over the rounds."""
    tokens = options.batch * options.seq_length
    rates = {name: tokens / statistics.median(values) for name, values in seconds.items()}
    return {
        "threads": options.threads,
        "tokens_per_step": tokens,
        "tokens_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "ratio": round(rates["ours"] / rates["transformers"], 3),
        "fastest_seconds": {name: round(min(values), 4) for name, values in seconds.items()},
        "median_seconds": {name: round(statistics.median(v), 4) for name, v in seconds.items()},
    }


if __name__ == "__main__":
    run(main)

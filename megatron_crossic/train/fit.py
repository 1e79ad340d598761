"""Whether data sets, model, tokenizer and layout fit each other, before anything starts."""

from pathlib import Path

from megatron_crossic.config import RunConfig
from megatron_crossic.data.tokenizer import load_tokenizer
from megatron_crossic.errors import CrossicError
from megatron_crossic.model.architecture import ModelArchitecture
from megatron_crossic.train.dataset import RunData


def round_problems(config: RunConfig, num_microbatches: int) -> list[str]:
    """Interleaved stages work in rounds of as many microbatches as there are stages."""
    stages = config.parallel.pipeline
    if config.parallel.virtual_pipeline == 1 or num_microbatches % stages == 0:
        return []
    return [
        "the number of microbatches must be a multiple of parallel.pipeline with "
        f"virtual_pipeline > 1, got {num_microbatches} with {stages}. Change global_batch_size or "
        "micro_batch_size, or use virtual_pipeline 1."
    ]


def data_problems(data: RunData, architecture: ModelArchitecture, config: RunConfig) -> list[str]:
    """Every way in which the data sets do not fit model and layout, as messages."""
    found = []
    if data.vocab_size > architecture.vocab_size:
        found.append(
            f"vocab_size of the data sets must be at most the model's, got {data.vocab_size} with "
            f"{architecture.vocab_size}. Make the data sets with the model's own tokenizer."
        )
    if data.seq_length > architecture.max_position_embeddings:
        found.append(
            f"seq_length of the data sets must be at most the model's max_position_embeddings, got "
            f"{data.seq_length} with {architecture.max_position_embeddings}. Make them with a "
            "lower --seq-length."
        )
    if config.data.loss_on == "target":
        found += [
            f"data.loss_on must be all where a data set has no target text, got target with "
            f"{prefix}. Use all, or leave that data set out of data.train."
            for prefix in data.train.sets_without_targets()
        ]
    if config.data.attention_scope != "window" and config.parallel.context > 1:
        found.append(
            f"data.attention_scope must be window with parallel.context above 1, got "
            f"{config.data.attention_scope} with {config.parallel.context}. Use window, or "
            "parallel.tensor in place of parallel.context."
        )
    shares = {
        "parallel.tensor with parallel.sequence": (
            config.parallel.tensor if config.parallel.sequence else 1
        ),
        "2 * parallel.context": 2 * config.parallel.context if config.parallel.context > 1 else 1,
    }
    found += [
        f"{name} must divide seq_length of the data sets, got {size} with {data.seq_length}. "
        "Change the layout or --seq-length."
        for name, size in shares.items()
        if data.seq_length % size
    ]
    return found


def compare_tokenizers(
    data: RunData, config: RunConfig, hf: Path
) -> tuple[list[str], tuple[str, ...]]:
    """Problems and warnings: the data sets must be made with the tokenizer the model came with.

    A folder may have it in two forms, `tokenizer.json` and a SentencePiece model; one has to match.
    """
    sources = sorted(hf.glob("*.model"))
    if (hf / "tokenizer.json").is_file():
        sources.insert(0, hf)
    found = {}
    warnings = []
    for source in sources:
        try:
            found[source] = load_tokenizer(source).fingerprint
        except CrossicError as error:
            warnings.append(f"could not compare the tokenizer of the data sets with {hf}: {error}")
    if not found or data.tokenizer_fingerprint in found.values():
        return [], () if found else tuple(warnings)
    name, fingerprint = next(iter(found.items()))
    return [
        f"data.train must be made with the tokenizer of the model, got tokenizer "
        f"{data.tokenizer_fingerprint[:12]} in {config.data.train[0]} and {fingerprint[:12]} in "
        f"{name}. Make the data sets again: preprocess_data.py --tokenizer {name}."
    ], ()

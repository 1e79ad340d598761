"""The step `encode`: every segment of corpus and targets that is not encoded yet."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import chain, groupby, islice
from pathlib import Path

from megatron_crossic.data.inputs import file_blocks, input_bytes, read_segments
from megatron_crossic.data.retrieval.encoders.encoder import Encoder
from megatron_crossic.data.retrieval.options import MiningOptions
from megatron_crossic.data.retrieval.run_settings import RunSettings
from megatron_crossic.data.retrieval.texts.encoding import EncodingTask, TextEncoding, placed_texts
from megatron_crossic.data.retrieval.texts.queries import QueryTexts
from megatron_crossic.data.retrieval.texts.vectors_folder import (
    Role,
    SegmentAccount,
    VectorsFolder,
)
from megatron_crossic.data.workers import ordered_results
from megatron_crossic.errors import DataError

KEYWORD_DOCUMENTS = 20_000
"""The first documents say how frequent words are; every process reads them for itself."""


def encode_texts(
    options: MiningOptions, encoder: Encoder, folder: VectorsFolder, settings: RunSettings
) -> tuple[int, int]:
    """Encode this share of the segments; returns how many are done and how many there are.

    A run without a shard that finds all done says so in the folder.
    """
    encoding = TextEncoding(encoder, options, folder, _query_texts(options))
    files = {"passages": options.corpus, "queries": options.targets}
    num_segments: dict[Role, int] = {"passages": 0, "queries": 0}
    total = sum(map(input_bytes, chain(*files.values())))
    done_bytes = 0

    def tasks() -> Iterator[EncodingTask]:
        for role in num_segments:
            for task in segment_tasks(role, files[role]):
                num_segments[role] = task.number + 1
                if settings.is_ours(task.number) and not folder.account(role, task.number):
                    yield task

    workers = 1 if encoder.is_one_process else settings.workers
    results = ordered_results(encoding, tasks(), workers=workers, ahead=2 * workers)
    with closing(results):
        for task, _ in results:
            done_bytes += sum(block.disk_bytes for _, block in task.blocks)
            settings.show("encode", done_bytes, total // (settings.shard or (0, 1))[1])
    accounts = {
        role: [account for n in range(count) if (account := folder.account(role, n))]
        for role, count in num_segments.items()
    }
    if settings.shard is None:
        for role, found in accounts.items():
            _refuse_nothing(role, found, options)
        folder.finish(num_segments)
    return sum(map(len, accounts.values())), sum(num_segments.values())


def segment_tasks(role: Role, files: Sequence[Path]) -> Iterator[EncodingTask]:
    """The segments of these files, numbered without gaps."""
    numbers = {path: number for number, path in enumerate(files)}
    segments = groupby(read_segments(files), key=lambda each: each[0])
    for number, (_, blocks) in enumerate(segments):
        own = [(numbers[block.path], block) for _, block in blocks]
        yield EncodingTask(role=role, number=number, blocks=own)


def _query_texts(options: MiningOptions) -> QueryTexts:
    """With the words of the first targets, where keywords are asked for."""
    blocks = (block for path in options.targets for block in file_blocks(path))
    found = (
        pair for block in blocks for _, pair in placed_texts([(0, block)], options.target_language)
    )
    count = KEYWORD_DOCUMENTS if "keywords" in options.view_names else 0
    return QueryTexts.of(
        (pair.documents[-1] for pair in islice(found, count)),
        num_keywords=options.num_keywords,
        document_characters=options.document_characters,
    )


def _refuse_nothing(role: Role, accounts: Sequence[SegmentAccount], options: MiningOptions) -> None:
    if any(account.num_rows for account in accounts):
        return
    left_out: Counter[str] = Counter()
    for account in accounts:
        left_out.update(account.drops)
    what, files = ("corpus", options.corpus) if role == "passages" else ("targets", options.targets)
    number = sum(account.num_records for account in accounts)
    reasons = "".join(f", {count} {reason}" for reason, count in left_out.items())
    raise DataError(
        f"{what} must hold texts to encode, got {number} documents{reasons} in "
        f"{', '.join(map(str, files))}. Check the files and their language."
    )

"""The step `select`: candidates in; pair file, manifest and the data of the report out."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from megatron_crossic.data.pairs import KIND, fingerprint_pairs, write_pairs
from megatron_crossic.data.records import Pair
from megatron_crossic.data.retrieval.options import MiningOptions
from megatron_crossic.data.retrieval.run_settings import RunSettings
from megatron_crossic.data.retrieval.search_step import read_candidates
from megatron_crossic.data.retrieval.selection.sample import (
    sample_around_threshold,
    write_mining_report_data,
)
from megatron_crossic.data.retrieval.selection.selection import Selection, select, selected_pairs
from megatron_crossic.data.retrieval.texts.collected import (
    CollectedTexts,
    TextFiles,
    collected_texts,
)
from megatron_crossic.data.retrieval.texts.vectors_folder import VectorsFolder
from megatron_crossic.errors import DataError
from megatron_crossic.files import (
    FileFingerprint,
    beside,
    fingerprint_file,
    refuse_existing,
    refuse_inputs,
)
from megatron_crossic.manifest import Manifest, is_incomplete, manifest_path, read_manifest


def report_data_path(output: Path) -> Path:
    """`mined.jsonl` -> `mined.jsonl.mining.json`."""
    return beside(output, ".mining.json")


def refuse_output(output: Path, options: MiningOptions, *, overwrite: bool) -> None:
    """Before hours of work: the pairs can be written."""
    account = manifest_path(output)
    refuse_existing(output, account, overwrite=overwrite or is_incomplete(account))
    inputs = (*options.corpus, *options.targets, *options.fit_pairs)
    refuse_inputs([output, account, report_data_path(output)], inputs=inputs)


def select_pairs(
    options: MiningOptions,
    vectors: VectorsFolder,
    candidates_folder: Path,
    output: Path,
    settings: RunSettings,
) -> Manifest:
    """Write the pairs and their manifest; raises `DataError` where there is none."""
    refuse_output(output, options, overwrite=settings.overwrite)
    candidates = read_candidates(candidates_folder, len(options.view_names))
    passages = TextFiles(
        paths=options.corpus, language=options.corpus_language, places=vectors.places("passages")
    )
    targets = TextFiles(
        paths=options.targets, language=options.target_language, places=vectors.places("queries")
    )
    with collected_texts(passages, targets, folder=candidates_folder) as texts:
        field = "margin" if options.selection.score == "margin" else "score"
        above = candidates[candidates[field] >= options.selection.threshold]
        _collect(texts, above, settings)
        selection = select(
            candidates,
            texts,
            options.selection,
            num_documents=sum(len(each) for each in vectors.places("queries")),
            languages=_languages(texts, above, options),
            views=options.view_names,
            on_progress=settings.stage("select"),
        )
        _collect(texts, candidates[sample_around_threshold(selection)], settings)
        write_mining_report_data(report_data_path(output), selection, texts)
        settings.report(report_data_path(output))
        return write_pairs(
            output,
            _some(selected_pairs(selection, texts), selection),
            lambda file: _manifest(options, vectors, selection, file),
        )


def _collect(texts: CollectedTexts, candidates: np.ndarray, settings: RunSettings) -> None:
    texts.collect(
        passages=candidates["passage"].astype(np.int64),
        targets=candidates["query"].astype(np.int64),
        progress=settings.stage("read texts"),
    )


def _languages(
    texts: CollectedTexts, candidates: np.ndarray, options: MiningOptions
) -> tuple[str, ...]:
    """All that the collected texts are in."""
    if options.target_language:
        return tuple(sorted({options.corpus_language, options.target_language}))
    queries = np.unique(candidates["query"]).tolist()
    found = {texts.target(query).documents[-1].language for query in queries}
    return tuple(sorted(found | {options.corpus_language}))


def _some(pairs: Iterator[Pair], selection: Selection) -> Iterator[Pair]:
    yield from pairs
    if not selection.account.num_pairs:
        reasons = ", ".join(f"{n} {reason}" for reason, n in selection.account.drops.items())
        raise DataError(
            f"selection must leave at least one pair, got none and dropped: {reasons}. "
            "Look at the report: lower --min-score, or loosen what dropped most."
        )


def _manifest(
    options: MiningOptions, vectors: VectorsFolder, selection: Selection, file: FileFingerprint
) -> Manifest:
    corpus = vectors.accounts("passages")
    left_out: dict[str, int] = {}
    for account in corpus:
        for reason, count in account.drops.items():
            left_out[reason] = left_out.get(reason, 0) + count
    parents = [path for path in map(manifest_path, options.targets) if path.exists()]
    index = read_manifest(options.work / "index" / "index.manifest.json", kind="index")
    return Manifest(
        kind=KIND,
        options={**_shaping(options), "selection": options.selection.for_manifest()},
        counts={
            "corpus_documents": sum(account.num_records for account in corpus),
            "corpus_passages": sum(account.num_rows for account in corpus),
            "corpus_left_out": left_out,
            **selection.account.counts(),
        },
        drops=selection.account.drops,
        files={KIND: file},
        inputs=[
            *map(fingerprint_pairs, options.targets),
            *map(fingerprint_file, options.selection.exclude_files),
        ],
        parents=[fingerprint_file(path).sha256 for path in parents],
        details={
            "encoder": index.details["identity"]["encoder"],
            "corpus": [[path.name, path.stat().st_size] for path in options.corpus],
            "index_recall": index.details["recall"],
            "histograms": selection.account.histograms(),
        },
    )


def _shaping(options: MiningOptions) -> dict[str, Any]:
    names = ("corpus_language", "target_language", "passage_characters", "num_keywords")
    return {
        **{name: getattr(options, name) for name in (*names, "document_characters")},
        "encoder": options.encoder,
        "fit": asdict(options.fit),
        "views": options.weights,
        "neighbours": options.neighbours,
        "candidates": options.candidates,
    }

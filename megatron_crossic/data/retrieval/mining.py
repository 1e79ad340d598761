"""The steps of mining; each goes on where it was killed and passes over what is done.

    fit      pairs ─► the embedded encoder                   WORK/encoder
    encode   corpus and targets ─► vectors                   WORK/vectors      shares
    index    vectors of passages ─► index                    WORK/index        shares
    search   vectors of documents ─► candidates              WORK/candidates   shares
    select   candidates ─► pairs                             OUTPUT

A run with a shard does its share of a step; the same without does what is left and finishes. A
folder of other options or inputs is refused, or made anew with `overwrite` by the step that fills
it.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from megatron_crossic.data.pairs import fingerprint_pairs, read_pairs
from megatron_crossic.data.records import Pair
from megatron_crossic.data.retrieval.encode_step import encode_texts
from megatron_crossic.data.retrieval.encoders.encoder import Encoder
from megatron_crossic.data.retrieval.encoders.file import (
    KIND,
    is_saved,
    load_encoder,
    save_encoder,
)
from megatron_crossic.data.retrieval.encoders.fitting import fit_encoder
from megatron_crossic.data.retrieval.encoders.pretrained import SCHEME, SentenceEncoder
from megatron_crossic.data.retrieval.index.build import build_index
from megatron_crossic.data.retrieval.index.folder import KIND as INDEX_KIND
from megatron_crossic.data.retrieval.index.folder import index_manifest_path
from megatron_crossic.data.retrieval.index.index import Index, open_index
from megatron_crossic.data.retrieval.index.plan import plan_index
from megatron_crossic.data.retrieval.options import EMBEDDED, MiningOptions
from megatron_crossic.data.retrieval.run_settings import RunSettings
from megatron_crossic.data.retrieval.search_step import Search, is_finished, sample_queries
from megatron_crossic.data.retrieval.select_step import refuse_output, select_pairs
from megatron_crossic.data.retrieval.texts.vectors_folder import VectorsFolder
from megatron_crossic.data.work_folder import claim_folder, file_identities
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.manifest import Manifest, read_manifest

SHARED = ("encode", "index", "search")
"""Steps that several jobs can share."""


@dataclass(frozen=True, kw_only=True)
class Mining:
    """One set of options and the work folder it fills."""

    options: MiningOptions
    settings: RunSettings

    def run(self, step: str, output: Path) -> Manifest | None:
        """One step, or `all`; the manifest of the pairs where they are written."""
        refuse_output(output, self.options, overwrite=self.settings.overwrite)
        file_identities((*self.options.corpus, *self.options.targets))  # all there, before hours
        if self.settings.shard and step not in SHARED:
            raise ConfigError(
                f"shard must be of one of the steps {', '.join(SHARED)}, got {step}. "
                "Run the other steps once, without --shard."
            )
        steps = {
            "fit": self.fit, "encode": self.encode, "index": self.index, "search": self.search
        }  # fmt: skip
        for name in steps if step == "all" else (step,):
            if name in steps:
                steps[name]()
        return self.select(output) if step in ("all", "select") else None

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder that the options name; a fitted one is read from the work folder."""
        name = self.options.encoder
        if name.startswith(SCHEME):
            return SentenceEncoder(name, self.options.pretrained)
        if name != EMBEDDED:
            return load_encoder(Path(name.removeprefix(f"{EMBEDDED}:")))
        self._pairs_to_fit_on()
        self._expect("encoder", self.options.of_fit(), step="fit")
        folder = self.options.work / "encoder"
        if not is_saved(folder):
            raise DataError(
                f"encoder must be fitted before texts are encoded, got none in {folder}. "
                "Run the step fit."
            )
        return load_encoder(folder)

    @property
    def vectors(self) -> VectorsFolder:
        return VectorsFolder(path=self.options.work / "vectors")

    def fit(self) -> None:
        """Fit the embedded encoder, unless another is named or it is there."""
        if self.options.encoder != EMBEDDED:
            return
        files = self._pairs_to_fit_on()
        self._claim("encoder", self.options.of_fit())
        folder = self.options.work / "encoder"
        if is_saved(folder):
            return
        self.settings.say("fitting the encoder")
        fit = fit_encoder(_all_pairs(files), self.options.fit)
        inputs = [fingerprint_pairs(path) for path in files]
        save_encoder(
            folder,
            fit.encoder,
            lambda file: Manifest(
                kind=KIND,
                options=self.options.of_fit()["fit"],
                counts=fit.counts(),
                files={KIND: file},
                inputs=inputs,
            ),
        )
        self.settings.say(f"encoder fitted: {_words(fit.counts())}")

    def encode(self) -> None:
        """Vectors of passages and documents."""
        self._claim("vectors", self.options.of_encoding(self.encoder.fingerprint))
        done, total = encode_texts(self.options, self.encoder, self.vectors, self.settings)
        self.settings.say(f"encoded: {done} of {total} segments")

    def index(self) -> None:
        """The index of the passages' vectors, its recall measured with real queries."""
        self._expect("vectors", self.options.of_encoding(self.encoder.fingerprint), step="encode")
        self._claim("index", self.options.of_index(self.encoder.fingerprint))
        passages = self.vectors.shards("passages", dimension=self.encoder.dimension)
        for line in plan_index(len(passages), passages.dimension, self.options.index).lines():
            self.settings.say(line)
        built = build_index(
            self.options.work / "index",
            passages,
            self.options.index,
            encoder=self.encoder.fingerprint,
            shard=self.settings.shard,
            progress=self.settings.stage("index"),
            queries=sample_queries(
                self.options,
                self.vectors,
                count=self.options.index.recall_queries,
                seed=self.options.index.seed,
            ),
            threads=self.settings.threads,
            on_warning=self.settings.say,
        )
        if built is not None:
            recall = built.details["recall"]
            self.settings.say(f"recall@{recall['k']} of the index: {recall['recall']:.3f}")

    def search(self) -> None:
        """Candidates with scores and margins."""
        encoder = self.encoder.fingerprint
        self._expect("vectors", self.options.of_encoding(encoder), step="encode")
        self._expect("index", self.options.of_index(encoder), step="index")
        folder = self.options.work / "candidates"
        self._claim("candidates", self.options.of_search(encoder))
        if is_finished(folder):
            return
        Search(
            options=self.options,
            vectors=self.vectors,
            folder=folder,
            encoder=encoder,
            settings=self.settings,
        ).run(self._opened_index())

    def select(self, output: Path) -> Manifest:
        """The pairs and their account."""
        folder = self.options.work / "candidates"
        self._expect("candidates", self.options.of_search(self.encoder.fingerprint), step="search")
        return select_pairs(self.options, self.vectors, folder, output, self.settings)

    def _opened_index(self) -> Index:
        folder = self.options.work / "index"
        wanted = asdict(self.options.index)
        found = read_manifest(index_manifest_path(folder), kind=INDEX_KIND).options
        if others := [name for name in wanted if wanted[name] != found.get(name)]:
            raise DataError(
                "index must be measured with the options it is searched with, got other "
                f"{' and '.join(others)} in {folder}. Run the step index first."
            )
        return open_index(
            folder,
            self.vectors.shards("passages", dimension=self.encoder.dimension),
            encoder=self.encoder.fingerprint,
            threads=self.settings.threads,
        )

    def _pairs_to_fit_on(self) -> tuple[Path, ...]:
        if not self.options.pairs_to_fit_on:
            raise ConfigError(
                "embedded encoder must be fitted on pairs, got documents without partners. "
                "Name pair files with --fit-pairs, or another encoder."
            )
        return self.options.pairs_to_fit_on

    def _expect(self, name: str, identity: dict[str, Any], *, step: str) -> None:
        """Refuse what an earlier step made of other options; that step alone may make it anew."""
        advice = f"Give the options it is of, or run the step {step} with --overwrite first."
        claim_folder(self.options.work / name, identity, overwrite=False, advice=advice)

    def _claim(self, name: str, identity: dict[str, Any]) -> None:
        claim_folder(self.options.work / name, identity, overwrite=self.settings.overwrite)


def _all_pairs(files: tuple[Path, ...]) -> Iterator[Pair]:
    for path in files:
        yield from read_pairs(path)


def _words(counts: dict[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in counts.items())

"""SentencePiece `.model` files behind the interface of `tokenizer`."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from sentencepiece import sentencepiece_model_pb2

from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.files import unreadable


class SentencePieceTokenizer:
    """One model file; nothing beside it is read.

    A `.model` file does not say whether BOS is added. The models that come as such a file (Llama 2,
    Mistral, Gemma) add it, so BOS is used where the model defines one; train with none otherwise.
    """

    def __init__(self, path: Path, *, eod_token: str | None = None) -> None:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise unreadable(path, error) from error
        self.fingerprint = hashlib.sha256(content).hexdigest()
        self._model = _without_dummy_prefix(content, path)
        self._backend = _load(self._model, path)
        self.vocab_size = int(self._backend.vocab_size())
        self.bos_id = _defined(self._backend.bos_id())
        self.eod_id = self._eod(eod_token, path)
        pad = _defined(self._backend.pad_id())
        self.pad_id = self.eod_id if pad is None else pad

    @cached_property
    def byte_lengths(self) -> NDArray[np.int32] | None:
        """Bytes of each piece: "▁" stands for a space, a byte piece for its byte."""
        pieces = self._model.pieces
        texts = ("▁" if each.type == each.BYTE else each.piece for each in pieces)
        lengths = [len(text.replace("▁", " ").encode()) for text in texts]
        return np.array(lengths, dtype=np.int32)

    def encode_batch(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        encoded: list[NDArray[np.int32]] = self._backend.encode(list(texts), return_type="numpy")
        return encoded

    def bulk_spec(self) -> bytes:
        """The model with its control pieces renamed, since they are text in a text."""
        model = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
        model.CopyFrom(self._model)
        for piece in model.pieces:
            if piece.type == piece.CONTROL:
                piece.piece = f"\ufdd0{piece.piece}"  # a noncharacter: never in a text
        content: bytes = model.SerializeToString()
        return content

    def token_starts(self, text: str) -> NDArray[np.int64]:
        offsets = self._backend.encode(text, return_type="offset_mapping")["offsets"]
        return np.array(offsets, dtype=np.int64).reshape(-1, 2)[:, 0]

    def decode(self, ids: Sequence[int] | NDArray[Any]) -> str:
        return str(self._backend.decode([int(i) for i in ids]))

    def token_id(self, name: str) -> int | None:
        found = int(self._backend.piece_to_id(name))
        return found if self._backend.id_to_piece(found) == name else None

    def _eod(self, eod_token: str | None, path: Path) -> int:
        found = self.token_id(eod_token) if eod_token else _defined(self._backend.eos_id())
        if found is None:
            raise ConfigError(
                f"tokenizer must have an end-of-document token, got {eod_token or 'no eos'!r} in "
                f"{path}. Name one of its tokens with --eod-token "
                "(and the separator with --split-token)."
            )
        return found


def _without_dummy_prefix(content: bytes, path: Path) -> Any:
    """The model without the space that SentencePiece puts in front of every text."""
    model = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise _unusable(path, error) from error
    model.normalizer_spec.add_dummy_prefix = False
    return model


def _load(model: Any, path: Path) -> sentencepiece.SentencePieceProcessor:
    try:
        return sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())
    except RuntimeError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: Exception) -> DataError:
    return DataError(
        f"tokenizer must be a SentencePiece model, got {path}: {error}. "
        "Point --tokenizer to a .model file or to a folder with tokenizer.json."
    )


def _defined(token: int) -> int | None:
    return token if token >= 0 else None

"""A fitted encoder on disk: `encoder.safetensors` and its manifest, in a folder."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from megatron_crossic.data.retrieval.encoders.embedded import EmbeddedEncoder, EncodedLanguage
from megatron_crossic.errors import DataError
from megatron_crossic.files import FileFingerprint, HashingWriter, atomic_output
from megatron_crossic.manifest import (
    Manifest,
    check_file,
    manifest_path,
    read_manifest,
    write_manifest,
)

KIND = "encoder"
FILE_NAME = "encoder.safetensors"


def save_encoder(
    folder: Path, encoder: EmbeddedEncoder, to_manifest: Callable[[FileFingerprint], Manifest]
) -> Manifest:
    """Write the encoder and, at last, its manifest; `to_manifest` gives the account."""
    path = folder / FILE_NAME
    manifest_path(path).unlink(missing_ok=True)
    with atomic_output(path) as file:
        writer = HashingWriter(file)
        writer.write(save(encoder.tensors()))
    manifest = to_manifest(writer.fingerprint(FILE_NAME))
    write_manifest(manifest_path(path), manifest)
    return manifest


def is_saved(folder: Path) -> bool:
    """Whether an encoder is there as it was written."""
    try:
        load_encoder(folder)
    except DataError:
        return False
    return True


def load_encoder(folder: Path) -> EmbeddedEncoder:
    """Read it back; raises `DataError` where it is missing, incomplete or of another kind."""
    path = folder / FILE_NAME
    manifest = read_manifest(manifest_path(path), kind=KIND)
    try:
        check_file(folder, KIND, manifest.files[KIND], deep=True)
        parts: dict[str, dict[str, NDArray[np.generic]]] = {}
        for name, tensor in load_file(path).items():
            language, _, part = name.partition(".")
            parts.setdefault(language, {})[part] = tensor
        languages = {code: EncodedLanguage.from_parts(found) for code, found in parts.items()}
    except (SafetensorError, KeyError) as error:
        raise DataError(
            f"encoder must be one that tools/mine_pairs.py fit has written, got {path}: {error}. "
            "Fit it again."
        ) from error
    return EmbeddedEncoder(languages=dict(sorted(languages.items())))

"""The folder of a pre-trained encoder: found, or fetched by its id, and known by its content.

Only configuration, vocabulary and safetensors are fetched and read. Code that comes with a model is
not run and pickled weights are not opened.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from megatron_crossic.data.retrieval.libraries import load_hub
from megatron_crossic.errors import ConfigError
from megatron_crossic.files import fingerprint_file

FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
_OTHER_FORMATS = ("onnx", "openvino")
_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")


def find_model(name: str, *, revision: str | None = None) -> Path:
    """The folder of a model; an id is fetched from the Hub where it is not in the cache.

    Nothing is fetched for a path: what exists, or cannot be an id (`./e5`, `/models/e5`, `a/b/c`).
    """
    folder = Path(name).expanduser()
    if not folder.exists() and _ID.fullmatch(name):
        folder = _fetch(name, revision)
    _check(folder, name)
    return folder


def model_digest(folder: Path) -> str:
    """Digest of every file the model is made of; each is read once."""
    digest = hashlib.sha256()
    for path in _files(folder):
        line = f"{path.relative_to(folder).as_posix()} {fingerprint_file(path).sha256}\n"
        digest.update(line.encode())
    return digest.hexdigest()


def _fetch(name: str, revision: str | None) -> Path:
    try:
        folder = load_hub().snapshot_download(
            name,
            revision=revision,
            allow_patterns=list(FILES),
            ignore_patterns=[f"{other}/*" for other in _OTHER_FORMATS],
        )
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise ConfigError(
            "encoder model must be a folder or a model that the Hugging Face Hub or its cache "
            f"has, got {name!r}: {type(error).__name__}: {reason}. "
            "Check the name and the network, or give the path of a folder (`./name`)."
        ) from error
    return Path(folder)


def _check(folder: Path, name: str) -> None:
    if not folder.is_dir():
        raise ConfigError(
            f"encoder model must be a folder that exists, got {name!r}. "
            "Check the path, or give the id of a model (`organization/name`)."
        )
    if not any((folder / file).is_file() for file in ("modules.json", "config.json")):
        raise ConfigError(
            f"encoder model must have modules.json or config.json, got neither in {folder}. "
            "Name the folder that a model was saved in."
        )
    for part in _parts(folder):
        if any(part.glob("pytorch_model*.bin")) and not any(part.glob("*.safetensors")):
            raise ConfigError(
                "weights of an encoder model must be safetensors, got pytorch_model.bin in "
                f"{part}. "
                "Convert them, or choose a revision that has model.safetensors."
            )


def _parts(folder: Path) -> list[Path]:
    """The folders of the model's modules, inside its own."""
    modules = _read(folder / "modules.json", [])
    paths = [module.get("path", "") for module in modules if isinstance(module, dict)]
    return [folder, *(folder / path for path in paths if path)]


def _read(path: Path, default: Any) -> Any:
    if not path.is_file():
        return default
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"encoder model must have files in JSON, got {path}: {error}. Fetch the model again."
        ) from error


def _files(folder: Path) -> list[Path]:
    found = (path for pattern in FILES for path in folder.rglob(pattern))
    return sorted(
        path
        for path in found
        if not any(
            part in _OTHER_FORMATS or part.startswith(".")
            for part in path.relative_to(folder).parts
        )
    )

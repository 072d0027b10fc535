"""From a weight file to a module that holds it: mapped, not copied, and strict about every key.

The architecture is built on the meta device (no memory, no random numbers), then the file's tensors are assigned. A
`.safetensors` file and torch's own zip format are mapped from disk, so a second load of a large model costs
milliseconds; converting to another dtype or moving to a GPU copies, tensor by tensor.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file

from ..errors import WeightsInvalid
from ..messages import Message, listed, reason_of
from .openai_clip import is_archive, read_archive
from .words import Says

StateDict = dict[str, torch.Tensor]

_NAMES_SHOWN = 5
_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def read_state_dict(path: Path) -> StateDict:
    """The tensors of a weight file, on the CPU, mapped where the format allows.

    `.safetensors`; torch's pickled formats with `weights_only=True`, so that nothing but tensors is accepted;
    TorchScript archives (OpenAI's `.pt`) through `torch.jit.load`, of which only the tensors are kept. A dictionary
    under `state_dict` and names that begin with `module.` are unwrapped, as training scripts write them.

    Raises `WeightsInvalid`.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path, device="cpu")
        content = read_archive(path) if is_archive(path) else _read_pickle(path)
    except pickle.UnpicklingError as error:
        raise WeightsInvalid(Says.more_than_tensors(), where=str(path), next_step=Says.save_as_safetensors()) from error
    except Exception as error:  # damaged bytes make torch's readers raise whatever they come upon
        raise WeightsInvalid(
            Says.weights_unreadable(error=reason_of(error)), where=str(path), next_step=Says.delete_and_fetch()
        ) from error
    return _unwrapped(content, path)


def materialise(
    build: Callable[[], torch.nn.Module],
    state: Mapping[str, torch.Tensor],
    *,
    device: torch.device,
    dtype: torch.dtype,
    where: str,
    ignored: Collection[str] = (),
    optional: Collection[str] = (),
) -> torch.nn.Module:
    """The module that `build` constructs, holding `state`; in eval mode, without gradients.

    Args:
        build: constructs the architecture without weights; called with the meta device as default.
        state: tensors by name. Floating ones are converted to `dtype`, batch-norm statistics excepted (see below).
        where: the file, for errors.
        ignored: names that may be in the file though the architecture has none.
        optional: names that may be missing in the file; they are filled with zeros.

    Raises:
        WeightsInvalid: a name is missing, unexpected, of another shape, or holds no floats. All kinds are named
            together.
    """
    module, state = fitted(build, state, where=where, ignored=ignored, optional=optional)
    kept = _kept_in_fp32(module)
    moved = {
        name: tensor.to(device, torch.float32 if name in kept else dtype)
        if tensor.is_floating_point()
        else tensor.to(device)
        for name, tensor in state.items()
    }
    module.load_state_dict(moved, strict=True, assign=True)
    _fill_the_rest(module, build, device, dtype)
    return module


def fitted(
    build: Callable[[], torch.nn.Module],
    state: Mapping[str, torch.Tensor],
    *,
    where: str,
    ignored: Collection[str] = (),
    optional: Collection[str] = (),
) -> tuple[torch.nn.Module, StateDict]:
    """The module without memory, in eval mode, and exactly the tensors that it takes. As `materialise`, before any
    tensor is read: what does not fit is found in milliseconds.
    """
    with torch.device("meta"):
        module = build()
    module.eval().requires_grad_(False)
    expected = module.state_dict()
    kept = {name: tensor for name, tensor in state.items() if name in expected or name not in ignored}
    absent = [name for name in optional if name in expected and name not in kept]
    kept |= {name: torch.zeros(expected[name].shape) for name in absent}
    misfits = _misfits(kept, expected)
    if misfits:
        raise WeightsInvalid(Says.weights_do_not_fit(misfits=misfits), where=where, next_step=Says.check_weights())
    return module, kept


def _misfits(state: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> list[Message]:
    """What of the file does not fit the architecture, a message for each kind."""
    # torch adds the batch counters itself where an older file lacks them; nothing in evaluation reads them.
    missing = [name for name in expected if name not in state and not name.endswith(".num_batches_tracked")]
    unexpected = [name for name in state if name not in expected]
    misshapen = [
        Says.other_shape(name=name, found=tuple(state[name].shape), wanted=tuple(expected[name].shape))
        for name in expected
        if name in state and state[name].shape != expected[name].shape
    ]
    mistyped = [
        Says.other_type(name=name, found=str(state[name].dtype).removeprefix("torch."))
        for name in expected
        if name in state and expected[name].is_floating_point() and state[name].dtype not in _FLOATS
    ]
    kinds = (
        (Says.missing_keys, missing),
        (Says.unexpected_keys, unexpected),
        (Says.misshapen_keys, misshapen),
        (Says.mistyped_keys, mistyped),
    )
    return [says(count=len(names), names=listed(names, _NAMES_SHOWN)) for says, names in kinds if names]


def size_bytes(module: torch.nn.Module) -> int:
    """Bytes of all parameters and buffers, shared ones once."""
    tensors = {tensor.data_ptr(): tensor for tensor in (*module.parameters(), *module.buffers())}
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


# --- reading --------------------------------------------------------------------------------------------------------


def _read_pickle(path: Path) -> object:
    mapped = zipfile.is_zipfile(path)  # the format before torch 1.6 is no zip and cannot be mapped
    return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)


def _unwrapped(content: object, path: Path) -> StateDict:
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise WeightsInvalid(Says.no_dictionary(), where=str(path))
    strangers = [str(name) for name, value in content.items() if not isinstance(value, torch.Tensor)]
    if strangers:
        raise WeightsInvalid(
            Says.not_tensors(count=len(strangers), names=listed(strangers, _NAMES_SHOWN)), where=str(path)
        )
    prefix = "module." if all(str(name).startswith("module.") for name in content) else ""
    return {str(name).removeprefix(prefix): tensor for name, tensor in content.items()}


# --- assigning ------------------------------------------------------------------------------------------------------


def _kept_in_fp32(module: torch.nn.Module) -> set[str]:
    """Names of batch-norm tensors: their statistics lose too much in eight bits, and torch mixes the dtypes itself."""
    return {
        f"{prefix}.{name}" if prefix else name
        for prefix, part in module.named_modules()
        if isinstance(part, torch.nn.modules.batchnorm._BatchNorm)
        for name in part.state_dict()
    }


def _fill_the_rest(
    module: torch.nn.Module, build: Callable[[], torch.nn.Module], device: torch.device, dtype: torch.dtype
) -> None:
    """Gives a value to what no file holds: non-persistent buffers and plain tensor attributes left on the meta device.

    open_clip's causal mask is the only one in the catalogue and is made here. Anything else (a custom checkpoint on
    another timm tower) is taken from a normal construction, which is slower but always right.
    """
    left = [
        (prefix, name)
        for prefix, part in module.named_modules()
        for name, value in (*part._buffers.items(), *vars(part).items())
        if isinstance(value, torch.Tensor) and value.is_meta
    ]
    others = [(prefix, name) for prefix, name in left if name != "attn_mask"]
    normal = dict(build().named_modules()) if others else {}
    for prefix, name in left:
        part = module.get_submodule(prefix)
        if name == "attn_mask":
            length = getattr(part, name).shape[-1]
            value = torch.full((length, length), float("-inf")).triu_(1)
        else:
            value = getattr(normal[prefix], name)
        if value.is_floating_point():
            value = value.to(dtype)
        setattr(part, name, value.to(device))
    still = [name for name, tensor in (*module.named_parameters(), *module.named_buffers()) if tensor.is_meta]
    assert not still, f"left without values: {still}"

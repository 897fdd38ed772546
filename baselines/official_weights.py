"""Official weights of a baseline in, a checkpoint of ours out."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from baselines.config import ConvertConfig
from baselines.registry import BASELINES, build
from sr import checkpoint
from sr.errors import InputError

# Where training frameworks keep the weights in their files; an average over the training goes before its last step.
_WRAPPERS = ("params_ema", "params", "state_dict", "model")


def known_names() -> list[str]:
    """Return the baselines whose official parameter names are known."""
    return [name for name, entry in BASELINES.items() if entry.official_keys]


def convert_file(config: ConvertConfig) -> checkpoint.Checkpoint:
    """Convert one file, write the checkpoint and return it; raises InputError as `convert` and `read` do."""
    _check_known(config.name)
    converted = convert(config.name, read(config.weights))
    checkpoint.save(config.out, converted)
    return converted


def convert(name: str, tensors: Mapping[str, Tensor]) -> checkpoint.Checkpoint:
    """Return official weights as a checkpoint of a baseline.

    Args:
        name: One of `known_names`.
        tensors: By their official names.

    Raises:
        InputError: Where `name` has no official weights, or naming the tensors that are unknown, missing, of another
            shape or not finite.
    """
    _check_known(name)
    entry = BASELINES[name]
    ours = {_renamed(key, entry.official_keys): tensor for key, tensor in tensors.items()}
    config = entry.official_config(ours) if entry.official_config else {}
    wanted = build(name, **config).state_dict()
    _refuse(name, "unknown", [key for key in tensors if _renamed(key, entry.official_keys) not in wanted])
    _refuse(name, "missing", [key for key in wanted if key not in ours])
    _refuse(name, "differently shaped", [key for key in wanted if wanted[key].shape != ours[key].shape])
    _refuse(name, "not finite", [key for key in wanted if not torch.isfinite(ours[key]).all()])
    return checkpoint.Checkpoint(
        description=checkpoint.Description("baseline", {"name": name, **config}),
        tensors={key: ours[key].float() for key in wanted},
        provenance={"source": "official weights"},
    )


def read(path: Path) -> dict[str, Tensor]:
    """Read a file of weights without running anything in it.

    Returns:
        Its plain tensors by name, or those under the name that a training framework gives them.

    Raises:
        InputError: Where the file is not there or holds anything else.
    """
    if not path.is_file():
        raise InputError(f"no weights at {path}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(f"{path} is no file of tensors (truncated, or a pickle of something else)") from error
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
            break
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise InputError(f"{path} must hold named tensors, flat or under one of {', '.join(_WRAPPERS)}")
    return content


def _check_known(name: str) -> None:
    if name not in known_names():
        raise InputError(f"official weights are known for {', '.join(known_names())}; got {name!r}")


def _renamed(key: str, fragments: Mapping[str, str]) -> str:
    """Return our name of the official parameter `key`."""
    key = key.removeprefix("module.")
    for official, ours in fragments.items():
        key = key.replace(official, ours)
    return key


def _refuse(name: str, fault: str, keys: list[str]) -> None:
    """Raise InputError if there are `keys`, naming the first of them and how many more."""
    if keys:
        more = f" and {len(keys) - 4} more" if len(keys) > 4 else ""
        raise InputError(f"these are not {name}'s official weights: {fault} {', '.join(keys[:4])}{more}")

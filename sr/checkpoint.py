"""Networks on disk: a description and tensors. Never a pickled module."""

import datetime
import importlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sr.deployment import deploy
from sr.errors import InputError
from sr.files import StrPath, as_path
from sr.scale import DEFAULT_SCALE, SCALES
from sr.tensors import read_tensors, write_tensors

FORMAT = "paretosr-1"

# Which module builds a family, by name: `sr` stands below the packages that define networks and imports none of them.
# Each has `build_family(config) -> nn.Module` and raises ValueError where the config breaks a constraint.
BUILDERS = {
    "searched": "search_spaces.network",
    "baseline": "baselines",
    "pruned": "prune.network",
}
# Whose config has the description of another network as `of`.
_PRUNED = "pruned"


@dataclass(frozen=True)
class Description:
    """What a network is.

    Attributes:
        family: One of `BUILDERS`.
        config: What its builder makes it from, JSON values.
    """

    family: str
    config: Mapping[str, Any]

    @property
    def scale(self) -> int:
        """How many times as high and wide as LR SR is; of a pruned network as of the one that it was pruned from."""
        dense = self.config.get("of") if self.family == _PRUNED else None
        config = dense.get("config") if isinstance(dense, Mapping) else self.config
        scale: int = config.get("scale", DEFAULT_SCALE) if isinstance(config, Mapping) else DEFAULT_SCALE
        return scale

    def build(self) -> nn.Module:
        """Build the untrained network, in training form.

        Raises:
            InputError: Where the family is unknown or the config breaks a constraint.
        """
        if self.family not in BUILDERS:
            raise InputError(f"the family of a network is one of {', '.join(BUILDERS)}, got {self.family!r}")
        try:
            network = importlib.import_module(BUILDERS[self.family]).build_family(self.config)
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"this is no {self.family} network: {error}") from error
        assert isinstance(network, nn.Module)
        return network


@dataclass(frozen=True)
class Checkpoint:
    """A network on disk.

    Attributes:
        description: What it is.
        tensors: Its state dict.
        deployed: Whether `tensors` are those of `deploy(description.build())` instead of the training form.
        recipe: How it was trained, JSON values.
        provenance: Versions, data and date, JSON values.
    """

    description: Description
    tensors: Mapping[str, Tensor]
    deployed: bool = False
    recipe: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def build(self) -> nn.Module:
        """Build the network with its tensors, in eval mode.

        Raises:
            InputError: Where the network cannot be built or the tensors do not fit it.
        """
        network = self.description.build()
        if self.deployed:
            network = deploy(network)
        try:
            network.load_state_dict(self.tensors)
        except RuntimeError as error:
            raise InputError(f"its tensors are not those of its description: {one_line(error)}") from error
        return network.eval()


def save(path: StrPath, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, complete or not at all.

    Args:
        path: The file, by custom a .pth; its folder is made where there is none.
        checkpoint: What to write; the versions and the date are added to its provenance.

    Raises:
        ValueError: Where a tensor holds NaN or infinity.
        InputError: Where the file cannot be written.
    """
    for name, tensor in checkpoint.tensors.items():
        if not torch.isfinite(tensor).all():
            raise ValueError(f"a checkpoint holds finite numbers, but {name} holds NaN or infinity")
    content = {
        "format": FORMAT,
        "scale": checkpoint.description.scale,
        "input_range": [0.0, 1.0],
        "family": checkpoint.description.family,
        "config": dict(checkpoint.description.config),
        "deployed": checkpoint.deployed,
        "tensors": {name: _alone(tensor) for name, tensor in checkpoint.tensors.items()},
        "recipe": dict(checkpoint.recipe),
        "provenance": provenance() | dict(checkpoint.provenance),
    }
    write_tensors(path, content)


def _alone(tensor: Tensor) -> Tensor:
    """Return a copy on the CPU with a storage of its own: torch.save writes the whole storage that a view looks at."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def load(path: StrPath) -> Checkpoint:
    """Read a checkpoint without running anything that it holds.

    Args:
        path: A file that `save` wrote.

    Returns:
        What it holds, on the CPU.

    Raises:
        InputError: Where there is no such file or it is none of ours.
    """
    path = as_path(path)
    if not path.is_file():
        raise InputError(f"no checkpoint at {path}")
    try:
        content = read_tensors(path)
    except Exception as error:
        raise InputError(
            f"{path} is no checkpoint of tensors and plain values (truncated, or a pickle of something else); "
            f"nothing in it was run"
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path} is not a {FORMAT} checkpoint; foreign weights come in by python -m baselines.convert")
    _check_content(path, content)
    return Checkpoint(
        description=Description(content["family"], content["config"]),
        tensors=content["tensors"],
        deployed=content["deployed"],
        recipe=content["recipe"],
        provenance=content["provenance"],
    )


def _check_content(path: Path, content: dict[str, Any]) -> None:
    """Raise InputError where a field is missing, of a wrong type, or a tensor is not finite."""
    types = {"family": str, "config": dict, "deployed": bool, "tensors": dict, "recipe": dict, "provenance": dict}
    for name, kind in types.items():
        if not isinstance(content.get(name), kind):
            raise InputError(f"{path}: the field {name!r} must be a {kind.__name__}, got {type(content.get(name))}")
    scale, noted = Description(content["family"], content["config"]).scale, content.get("scale")
    if type(scale) is not int or scale not in SCALES:
        raise InputError(f"{path}: the scale of its config must be one of {', '.join(map(str, SCALES))}, got {scale!r}")
    if noted != scale:
        raise InputError(f"{path}: the scale must be {scale}, as in its config, got {noted!r}")
    for name, tensor in content["tensors"].items():
        if not isinstance(name, str) or not _plain_and_finite(tensor):
            raise InputError(f"{path}: {name} must be a name and its value a plain tensor of finite numbers")


def _plain_and_finite(value: object) -> bool:
    """Return whether `value` is a dense tensor with a content, all of it finite."""
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_meta:
        return False
    # Of the types of 8 bits isfinite knows none.
    in_8_bits = value.is_floating_point() and value.element_size() == 1
    return bool(torch.isfinite(value.float() if in_8_bits else value).all())


def load_network(path: StrPath) -> nn.Module:
    """Build the network that a checkpoint holds, whatever its family.

    Args:
        path: A file that `save` wrote.

    Returns:
        The network in eval mode on the CPU, in the form it was saved in: (n, 3, h, w) in [0, 1] to (n, 3, s*h, s*w),
        s the scale of its description.

    Raises:
        InputError: Where there is no such file, it is none of ours, or its tensors are not those of its description.
    """
    checkpoint = load(path)
    try:
        return checkpoint.build()
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def provenance() -> dict[str, str]:
    """Return the versions and the date that a file made now should carry."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
    }


def one_line(error: BaseException, limit: int = 300) -> str:
    """Return an error's message on one line, cut to `limit` characters."""
    text = " ".join(str(error).split())
    return text if len(text) <= limit else text[:limit] + "..."

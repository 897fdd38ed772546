"""From the names and shapes of published weights to ours."""

import re
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from baselines.registry import BASELINES
from baselines.weights.branches import folded
from sr.errors import InputError

_Named = Mapping[str, Tensor]

# As `Baseline.official_keys`, by the names that the authors' code has; no file of theirs in RGB was at hand.
_FURTHER_KEYS: dict[str, dict[str, str]] = {
    "safmn": {
        "to_feat.": "head.",
        "feats.": "blocks.",
        ".safm.mfr.": ".modulation.depthwise.",
        ".safm.aggr.": ".modulation.fuse.",
        ".ccm.ccm.0.": ".widen.",
        ".ccm.ccm.2.": ".narrow.",
        "to_img.": "upsampler.",
    },
    "bicubic_pp": {"conv0.": "head.", "conv1.": "body.0.", "conv2.": "body.1.", "conv_out.": "tail."},
    "rt4ksr": {
        "body.": "blocks.",
        ".norm.": ".0.",
        ".conv1.rep_conv.": ".1.",
        "tail.0.": "trunk.0.",
        "tail.1.rep_conv.": "trunk.1.",
        "upsample.0.": "tail.",
    },
    # Nothing to replace: `_LAYOUTS` says it all.
    "ecbsr": {},
    "xlsr": {},
}
# What profilers and wrappers leave in a state_dict.
_BY_PRODUCTS = ("num_batches_tracked", "total_ops", "total_params", "n_averaged")


def known_names() -> list[str]:
    """Return the baselines whose official parameter names are known."""
    return [name for name, entry in BASELINES.items() if entry.official_keys or name in _FURTHER_KEYS]


def ours(name: str, tensors: _Named) -> dict[str, Tensor]:
    """Return official weights under our names, training forms folded; what is unknown keeps a name that we have not.

    Args:
        name: One of `known_names`.
        tensors: By their official names.

    Raises:
        InputError: Where the names tell that they are of a form that the network has not.
    """
    plain = folded({key: tensor for key, tensor in tensors.items() if not key.endswith(_BY_PRODUCTS)})
    if name in _LAYOUTS:
        plain = _LAYOUTS[name](plain)
    fragments = BASELINES[name].official_keys or _FURTHER_KEYS.get(name, {})
    return {_replaced(key, fragments): tensor for key, tensor in plain.items()}


def _replaced(key: str, fragments: Mapping[str, str]) -> str:
    for official, named in fragments.items():
        key = key.replace(official, named)
    return key


def _ecbsr(tensors: _Named) -> dict[str, Tensor]:
    """ECBSR's authors number layers, ETDS's authors put each in a sequence; the last has no activation and is ours."""
    parts = {key: re.fullmatch(r"backbone\.(\d+)\.(conv3x3|act|0|1)\.(\w+)", key) for key in tensors}
    last = max((int(part[1]) for part in parts.values() if part), default=0)
    renamed = {}
    for key, tensor in tensors.items():
        part = parts[key]
        if part is None:
            renamed[key] = tensor
        elif int(part[1]) == last:
            renamed[f"tail.{part[3]}"] = tensor
        else:
            renamed[f"body.{2 * int(part[1]) + (part[2] in ('act', '1'))}.{part[3]}"] = tensor
    return renamed


def _etds(tensors: _Named) -> dict[str, Tensor]:
    """Join the two streams of ETDS's training form, features and picture, into one convolution each."""
    if "conv_residual_first.weight" not in tensors:
        return dict(tensors)
    both = dict(tensors)

    def take(name: str) -> tuple[Tensor, Tensor]:
        try:
            return both.pop(f"{name}.weight"), both.pop(f"{name}.bias")
        except KeyError as error:
            raise InputError(f"these are not etds's official weights: missing {error.args[0]}") from error

    def joined(name: str, features: tuple[Tensor, Tensor], picture: tuple[Tensor, Tensor]) -> None:
        both[f"{name}.weight"] = torch.cat((features[0], picture[0]))
        both[f"{name}.bias"] = torch.cat((features[1], picture[1]))

    joined("conv_first", take("conv_first"), take("conv_residual_first"))
    for layer in sorted({key.split(".")[1] for key in tensors if key.startswith("residual_convs.")}):
        features, coupling, picture = (
            take(f"{stream}.{layer}") for stream in ("backbone_convs", "add_residual_convs", "residual_convs")
        )
        unread = picture[0].new_zeros(len(picture[0]), features[0].shape[1], 3, 3)
        reading = torch.cat((features[0], coupling[0]), dim=1), features[1] + coupling[1]
        joined(f"backbone_convs.{layer}", reading, (torch.cat((unread, picture[0]), dim=1), picture[1]))
    features, picture = take("conv_last"), take("conv_residual_last")
    # Under our name of it: the training form ends without the convolution that clips.
    both["tail.weight"] = torch.cat((features[0], picture[0]), dim=1)
    both["tail.bias"] = features[1] + picture[1]
    return both


def _plainusr(tensors: _Named) -> dict[str, Tensor]:
    """Fold the 1x1 convolution to the first channel that PlainUSR's training form puts behind a block's last one."""
    mixed = dict(tensors)
    for key in tensors:
        part = re.fullmatch(r"(block\w+\.body\.)(\d+)\.conv\.weight", key)
        before = f"{part[1]}{int(part[2]) - 1}" if part else ""
        if part is None or f"{before}.weight" not in mixed:
            continue
        point, offset = mixed.pop(key)[:, :, 0, 0].double(), mixed.pop(key.replace("weight", "bias")).double()
        kernel, bias = mixed[f"{before}.weight"], mixed[f"{before}.bias"]
        first = torch.einsum("om,mihw->oihw", point, kernel.double())
        mixed[f"{before}.weight"] = torch.cat((first, kernel[1:].double()))
        mixed[f"{before}.bias"] = torch.cat((point @ bias.double() + offset, bias[1:].double()))
        behind = f"{part[1]}{int(part[2]) + 1}."
        for name in [name for name in mixed if name.startswith(behind)]:
            mixed[f"{part[1]}{part[2]}.{name.removeprefix(behind)}"] = mixed.pop(name)
    return mixed


def _rt4ksr(tensors: _Named) -> dict[str, Tensor]:
    """RT4KSR's first convolution reads the pixels of 2x2 squares as channels; its high-frequency branch is not read."""
    read = {key: tensor for key, tensor in tensors.items() if key != "gamma" and not key.startswith("hfb.")}
    head = read.pop("head.0.weight", None)
    if head is not None and head.dim() == 4 and head.shape[1:] == (12, 3, 3):
        squares = head.unflatten(1, (3, 2, 2))
        # (out, colour, row, column, kernel row, kernel column) to a kernel of 6x6 that steps by two.
        read["head.weight"] = squares.permute(0, 1, 4, 2, 5, 3).reshape(len(head), 3, 6, 6)
    if "head.0.bias" in read:
        read["head.bias"] = read.pop("head.0.bias")
    return read


def _xlsr(tensors: _Named) -> dict[str, Tensor]:
    """XLSR's four heads are one convolution here; by the names of Zhou's code, the authors' is not published."""
    parts = {
        r"conv1\.": "side.",
        r"conv2\.": "joined.",
        r"conv3\.conv\.": "fuse.",
        r"conv4\.": "tail.",
        r"Gblocks\.(\d+)\.conv0\.": r"blocks.\1.grouped.",
        r"Gblocks\.(\d+)\.conv1\.": r"blocks.\1.joined.",
    }
    renamed = dict(tensors)
    for name in ("weight", "bias"):
        heads = [f"conv0_{index}.conv.{name}" for index in range(4)]
        if all(head in renamed for head in heads):
            renamed[f"head.{name}"] = torch.cat([renamed.pop(head) for head in heads])
    for theirs, named in parts.items():
        renamed = {re.sub(f"^{theirs}", named, key): tensor for key, tensor in renamed.items()}
    return renamed


def _span(tensors: _Named) -> dict[str, Tensor]:
    """SPAN as its community also trains it, without its normalisation, has a tensor that says so."""
    if "no_norm" in tensors:
        raise InputError(
            "these weights are of a SPAN that does not subtract the mean colour (they hold no_norm): span does, and "
            "cannot run them"
        )
    return dict(tensors)


_LAYOUTS: dict[str, Callable[[_Named], dict[str, Tensor]]] = {
    "ecbsr": _ecbsr,
    "etds": _etds,
    "plainusr": _plainusr,
    "rt4ksr": _rt4ksr,
    "span": _span,
    "xlsr": _xlsr,
}

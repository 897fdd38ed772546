"""Layers in the forms in which their authors train them, folded into the plain convolutions that are deployed.

A file that was saved in training holds a layer's branches; a plain convolution beside them, such as SPAN's `eval_conv`,
is what they were when it was last brought up to date, and is not read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sr.errors import InputError

_BATCH_NORM_EPS = 1e-5
_EDGES = ("conv1x1_sbx", "conv1x1_sby", "conv1x1_lpl")
_Part = Mapping[str, Tensor]


@dataclass(frozen=True)
class _Form:
    """A training form.

    Attributes:
        owned: What its tensors' names begin with, behind the name of the layer.
        marks: Names behind the layer's by which it is known, all of which are there.
        unmarked: A name that another form has beside these.
        fold: Returns what is deployed, by the names behind the layer's, from what is owned.
    """

    owned: tuple[str, ...]
    marks: tuple[str, ...]
    fold: Callable[[_Part], dict[str, Tensor]]
    unmarked: str = ""


def folded(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a network's tensors with every training form that is known folded, what is folded in float64.

    Raises:
        InputError: Where a form does not say all that its layer computes.
    """
    done = dict(tensors)
    for form in _FORMS:
        anchor = form.marks[0]
        for key in [key for key in done if key.endswith(anchor)]:
            layer = key.removesuffix(anchor)
            marked = all(layer + mark in done for mark in form.marks)
            if not marked or (layer and not layer.endswith(".")) or (form.unmarked and layer + form.unmarked in done):
                continue
            names = [name for name in done if name.startswith(tuple(layer + owned for owned in form.owned))]
            part = {name.removeprefix(layer): done.pop(name).double() for name in names}
            done |= {layer + name: tensor for name, tensor in form.fold(part).items()}
    return done


def _before_and_behind(part: _Part, first: str, middle: str, last: str) -> tuple[Tensor, Tensor]:
    """Return the kernel and bias of a 1x1, a 3x3 and a 1x1 convolution in a row; a missing bias is zero."""
    before, square, behind = (part[f"{name}.weight"] for name in (first, middle, last))
    kernel = torch.einsum("om,mnhw,ni->oihw", behind[:, :, 0, 0], square, before[:, :, 0, 0])
    wide = square.sum((2, 3)) @ _bias(part, first) + _bias(part, middle)
    return kernel, behind[:, :, 0, 0] @ wide + _bias(part, last)


def _bias(part: _Part, name: str) -> Tensor:
    weight = part[f"{name}.weight"]
    return part.get(f"{name}.bias", weight.new_zeros(len(weight)))


def _centred(point: Tensor) -> Tensor:
    """Return a 1x1 kernel as the 3x3 one that computes the same."""
    return F.pad(point, (1, 1, 1, 1))


def _identity(channels: int) -> Tensor:
    return _centred(torch.eye(channels, dtype=torch.float64)[:, :, None, None])


def _fold_chain_and_skip(part: _Part) -> dict[str, Tensor]:
    """SPAN's Conv3XC: 1x1, 3x3 and 1x1 in a row beside a 1x1."""
    kernel, bias = _before_and_behind(part, "conv.0", "conv.1", "conv.2")
    plain = {"eval_conv.weight": kernel + _centred(part["sk.weight"])}
    return plain | ({"eval_conv.bias": bias + part["sk.bias"]} if "sk.bias" in part else {})


def _fold_edges(part: _Part) -> dict[str, Tensor]:
    """ECBSR's ECB: a 3x3, a 1x1 and 3x3 in a row, and three 1x1 each before a scaled filter; no identity is kept."""
    point, square = part["conv1x1_3x3.k0"][:, :, 0, 0], part["conv1x1_3x3.k1"]
    kernel = part["conv3x3.weight"] + torch.einsum("omhw,mi->oihw", square, point)
    bias = part["conv3x3.bias"] + part["conv1x1_3x3.b1"] + square.sum((2, 3)) @ part["conv1x1_3x3.b0"]
    for edge in _EDGES:
        taps = (part[f"{edge}.scale"] * part[f"{edge}.mask"])[:, 0]
        kernel = kernel + torch.einsum("ohw,oi->oihw", taps, part[f"{edge}.k0"][:, :, 0, 0])
        bias = bias + taps.sum((1, 2)) * part[f"{edge}.b0"] + part[f"{edge}.bias"]
    return {"conv3x3.weight": kernel, "conv3x3.bias": bias}


def _refuse_edges(_part: _Part) -> dict[str, Tensor]:
    """EFDN's EDBB: whether the identity and the 1x1 and 3x3 in a row are added is no tensor of it."""
    raise InputError(
        "EFDN's training form does not say in its file which of its branches are added: fold it by its authors' "
        "switch_to_deploy() and save that"
    )


def _fold_residual(part: _Part) -> dict[str, Tensor]:
    """FMEN's RRRB: 1x1, 3x3 beside the identity, 1x1, plus x."""
    square = part["fea_conv.weight"]
    opened = {**part, "fea_conv.weight": square + _identity(len(square))}
    kernel, bias = _before_and_behind(opened, "expand_conv", "fea_conv", "reduce_conv")
    return {"rep_conv.weight": kernel + _identity(len(kernel)), "rep_conv.bias": bias}


def _fold_gated(part: _Part) -> dict[str, Tensor]:
    """PlainUSR's MBConv: as RRRB, the 3x3 times a learned gate per channel."""
    code = part["se.tensor"].flatten()
    gate = torch.sigmoid(part["se.se.3.weight"] @ F.silu(part["se.se.1.weight"] @ code))
    gated = {
        **part,
        "fea_conv.weight": part["fea_conv.weight"] * gate[:, None, None, None],
        "fea_conv.bias": _bias(part, "fea_conv") * gate,
    }
    return {name.removeprefix("rep_conv."): tensor for name, tensor in _fold_residual(gated).items()}


def _fold_norms(part: _Part) -> dict[str, Tensor]:
    """FMEN's HFAB: batch norms before two 3x3 convolutions and behind the second; what it pads is the norm of zero."""
    factor, offset = _of_norm(part, "bn3")
    excite = _behind_norm(part, "bn2", "excitate")
    return {
        **_behind_norm(part, "bn1", "squeeze"),
        "excitate.weight": excite["excitate.weight"] * factor[:, None, None, None],
        "excitate.bias": excite["excitate.bias"] * factor + offset,
    }


def _behind_norm(part: _Part, norm: str, conv: str) -> dict[str, Tensor]:
    factor, offset = _of_norm(part, norm)
    kernel = part[f"{conv}.weight"]
    bias = kernel.sum((2, 3)) @ offset + _bias(part, conv)
    return {f"{conv}.weight": kernel * factor[:, None, None], f"{conv}.bias": bias}


def _of_norm(part: _Part, norm: str) -> tuple[Tensor, Tensor]:
    """Return the factor and the offset that a batch norm applies in eval mode."""
    factor = part[f"{norm}.weight"] * torch.rsqrt(part[f"{norm}.running_var"] + _BATCH_NORM_EPS)
    return factor, part[f"{norm}.bias"] - part[f"{norm}.running_mean"] * factor


_BRANCHES = (
    *(f"conv1x1_3x3.{name}" for name in ("k0", "b0", "k1", "b1")),
    *(f"{edge}.{name}" for edge in _EDGES for name in ("k0", "b0", "scale", "bias", "mask")),
)
_RESIDUAL = ("expand_conv.", "fea_conv.", "reduce_conv.")
_RESIDUAL_MARKS = tuple(f"{name}{tensor}" for name in _RESIDUAL for tensor in ("weight", "bias"))
_NORMS = tuple(
    f"{norm}.{name}" for norm in ("bn1", "bn2", "bn3") for name in ("weight", "bias", "running_mean", "running_var")
)

_FORMS = (
    _Form(
        owned=("sk.", "conv.0.", "conv.1.", "conv.2.", "eval_conv."),
        marks=("sk.weight", "conv.0.weight", "conv.1.weight", "conv.2.weight"),
        fold=_fold_chain_and_skip,
    ),
    _Form(
        owned=("conv3x3.", "conv1x1_3x3.", *(f"{edge}." for edge in _EDGES)),
        marks=(*_BRANCHES, "conv3x3.weight", "conv3x3.bias"),
        fold=_fold_edges,
    ),
    _Form(owned=("rep_conv.", "conv1x1"), marks=(*_BRANCHES, "rep_conv.weight"), fold=_refuse_edges),
    _Form(
        owned=(*_RESIDUAL, "se."),
        marks=(*_RESIDUAL_MARKS, "se.tensor", "se.se.1.weight", "se.se.3.weight"),
        fold=_fold_gated,
    ),
    _Form(owned=_RESIDUAL, marks=_RESIDUAL_MARKS, fold=_fold_residual, unmarked="se.tensor"),
    _Form(
        owned=("bn1.", "bn2.", "bn3.", "squeeze.", "excitate."),
        marks=(*_NORMS, "squeeze.weight", "excitate.weight"),
        fold=_fold_norms,
    ),
)

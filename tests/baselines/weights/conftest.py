"""Networks of ours by the names and in the training forms that their authors' code has."""

import re

import pytest
import torch

from search_spaces.wide_reparam import EDGE_FILTERS


def _replaced(tensors, pairs):
    """Return tensors by other names: regular expressions and what they become, one after another."""
    renamed = {}
    for name, tensor in tensors.items():
        for ours, theirs in pairs:
            name = re.sub(ours, theirs, name)
        renamed[name] = tensor
    return renamed


_RESIDUAL = [(r"\.expand\.", ".expand_conv."), (r"\.square\.", ".fea_conv."), (r"\.project\.", ".reduce_conv.")]


def _from_one(match):
    return f"block_{int(match[1]) + 1}."


def _span(tensors):
    chain = [(r"\.expand\.", ".conv.0."), (r"\.square\.", ".conv.1."), (r"\.project\.", ".conv.2.")]
    named = [
        (r"^head\.", "conv_1."),
        (r"^trunk\.", "conv_2."),
        (r"^fuse\.", "conv_cat."),
        (r"^blocks\.(\d+)\.", _from_one),
    ]
    theirs = _replaced(tensors, [*named, *chain, (r"\.point\.", ".sk.")])
    for name in [name for name in theirs if name.endswith("sk.weight")]:
        layer, shape = name.removesuffix("sk.weight"), theirs[name].shape
        # Of some other step of the training.
        theirs[f"{layer}eval_conv.weight"] = torch.rand(*shape[:2], 3, 3)
        theirs[f"{layer}eval_conv.bias"] = torch.rand(shape[0])
    return theirs


def _ecbsr(tensors):
    theirs = {}
    layers = sorted({name.removesuffix(".scales") for name in tensors if name.endswith(".scales")})
    for index, layer in enumerate(sorted(layers, key=lambda name: (name == "tail", len(name), name))):
        part = {
            name.removeprefix(f"{layer}."): tensor for name, tensor in tensors.items() if name.startswith(f"{layer}.")
        }
        named = [
            (r"^square\.", "conv3x3."),
            (r"^expand\.weight", "conv1x1_3x3.k0"),
            (r"^expand\.bias", "conv1x1_3x3.b0"),
        ]
        named += [(r"^squeeze\.weight", "conv1x1_3x3.k1")]
        part["conv1x1_3x3.b1"] = part.pop("squeeze.bias")
        scales, points = part.pop("scales"), part.pop("before_filters.weight")
        out = scales.shape[1]
        for number, edge in enumerate(("conv1x1_sbx", "conv1x1_sby", "conv1x1_lpl")):
            part[f"{edge}.k0"] = points[number * out : (number + 1) * out]
            # A filter sums to zero: what is before it does not show.
            part[f"{edge}.b0"] = torch.rand(out)
            part[f"{edge}.scale"] = scales[number].view(-1, 1, 1, 1)
            part[f"{edge}.bias"] = torch.zeros(out)
            part[f"{edge}.mask"] = torch.tensor(EDGE_FILTERS[number]).expand(out, 1, 3, 3).clone()
        slope = tensors.get(f"body.{2 * index + 1}.weight")
        part |= {} if slope is None else {"act.weight": slope}
        theirs |= {f"backbone.{index}.{name}": tensor for name, tensor in _replaced(part, named).items()}
    return theirs


def _fmen(tensors):
    attention = [
        (r"\.squeeze\.norm\.", ".bn1."), (r"\.squeeze\.conv\.", ".squeeze."), (r"\.excite\.norm\.", ".bn2."),
        (r"\.excite\.conv\.0\.", ".excitate."), (r"\.excite\.conv\.1\.", ".bn3."), (r"\.pairs\.", ".convs."),
    ]  # fmt: skip
    named = [(r"^blocks\.(\d+)\.0\.", r"ERBs.\1."), (r"^blocks\.(\d+)\.1\.", r"HFABs.\1."), (r"^trunk\.", "lr_conv.")]
    return _replaced(tensors, [*named, *attention, *_RESIDUAL, (r"^upsampler\.", "tail.")])


def _plainusr(tensors):
    gate = [(r"\.gate\.0\.", ".se.se.1."), (r"\.gate\.2\.", ".se.se.3."), (r"\.code$", ".se.tensor")]
    named = [(r"^blocks\.", ""), (r"^upsampler\.", "tail."), (r"\.body\.3\.body\.", ".body.4.body.")]
    mix = [(r"\.body\.2\.mix\.", ".body.3.conv.")]
    theirs = _replaced(tensors, [*named, *mix, *gate, *_RESIDUAL])
    return {name: each.view(1, -1, 1, 1) if name.endswith(".tensor") else each for name, each in theirs.items()}


def _rt4ksr(tensors):
    named = [
        (r"^tail\.", "upsample.0."), (r"^blocks\.(\d+)\.0\.", r"body.\1.norm."),
        (r"^blocks\.(\d+)\.1\.", r"body.\1.conv1."), (r"^trunk\.0\.", "tail.0."), (r"^trunk\.1\.", "tail.1."),
        (r"^head\.", "head.0."),
    ]  # fmt: skip
    theirs = _replaced(tensors, [*named, *_RESIDUAL])
    head = theirs["head.0.weight"]
    squares = head.reshape(len(head), 3, 3, 2, 3, 2).permute(0, 1, 3, 5, 2, 4)
    theirs["head.0.weight"] = squares.reshape(len(head), 12, 3, 3)
    for name in [name for name in theirs if re.search(r"\.norm\.|^tail\.0\.", name)]:
        theirs[name] = theirs[name].flatten()
    return theirs | {"gamma": torch.zeros(1), "hfb.0.rep_conv.bias": torch.rand(4)}


def _etds(tensors):
    named = [
        (r"^body\.(\d+)\.features\.", r"backbone_convs.\1."), (r"^body\.(\d+)\.coupling\.", r"add_residual_convs.\1."),
        (r"^body\.(\d+)\.picture\.", r"residual_convs.\1."), (r"^tail\.features\.", "conv_last."),
        (r"^tail\.picture\.", "conv_residual_last."), (r"^head\.", "conv_first."),
    ]  # fmt: skip
    theirs = _replaced(tensors, named)
    for name in ("weight", "bias"):
        both = theirs[f"conv_first.{name}"]
        theirs[f"conv_first.{name}"], theirs[f"conv_residual_first.{name}"] = both[:-3], both[-3:]
    return theirs


def _safmn(tensors):
    named = [
        (r"^head\.", "to_feat."), (r"^blocks\.", "feats."), (r"^upsampler\.", "to_img."),
        (r"\.modulation\.depthwise\.", ".safm.mfr."), (r"\.modulation\.fuse\.", ".safm.aggr."),
        (r"\.widen\.", ".ccm.ccm.0."), (r"\.narrow\.", ".ccm.ccm.2."),
    ]  # fmt: skip
    theirs = _replaced(tensors, named)
    return {name: tensor.flatten() if ".norm" in name else tensor for name, tensor in theirs.items()}


def _bicubic_pp(tensors):
    named = [(r"^head\.", "conv0."), (r"^tail\.", "conv_out."), (r"^body\.0\.", "conv1."), (r"^body\.1\.", "conv2.")]
    return _replaced(tensors, named)


def _xlsr(tensors):
    named = [
        (r"^side\.", "conv1."), (r"^joined\.", "conv2."), (r"^fuse\.", "conv3.conv."), (r"^tail\.", "conv4."),
        (r"^blocks\.(\d+)\.grouped\.", r"Gblocks.\1.conv0."), (r"^blocks\.(\d+)\.joined\.", r"Gblocks.\1.conv1."),
    ]  # fmt: skip
    theirs = _replaced(tensors, named)
    for name in ("weight", "bias"):
        heads = theirs.pop(f"head.{name}").chunk(4)
        theirs |= {f"conv0_{index}.conv.{name}": head for index, head in enumerate(heads)}
    return theirs


@pytest.fixture
def as_published():
    """Return what turns a network's tensors into a file's: by its name, its tensors, as its authors would save it."""
    forms = {
        "span": _span, "ecbsr": _ecbsr, "fmen": _fmen, "plainusr": _plainusr, "rt4ksr": _rt4ksr, "etds": _etds,
        "safmn": _safmn, "bicubic_pp": _bicubic_pp, "srvgg": dict, "xlsr": _xlsr,
    }  # fmt: skip
    return lambda name, network: forms[name](
        {key: tensor.detach().clone() for key, tensor in network.state_dict().items()}
    )

"""Training forms fold into the convolution that computes what their authors draw."""

import pytest
import torch
import torch.nn.functional as F

from baselines.weights.branches import folded
from sr.errors import InputError

pytestmark = pytest.mark.numeric
X = torch.randn(2, 3, 6, 5, dtype=torch.float64)


def rand(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def conv(tensors, name, x, padding=0):
    return F.conv2d(x, tensors[f"{name}.weight"], tensors.get(f"{name}.bias"), padding=padding)


def chain(names, widths, bias=True):
    """Return a 1x1, a 3x3 and a 1x1 convolution in a row."""
    tensors = {}
    for name, size, before, behind in zip(names, (1, 3, 1), widths[:-1], widths[1:], strict=True):
        tensors[f"{name}.weight"] = rand(behind, before, size, size)
        if bias:
            tensors[f"{name}.bias"] = rand(behind)
    return tensors


def check(tensors, layer, drawn, left=()):
    plain = folded({f"net.{name}": tensor for name, tensor in tensors.items()})
    wanted = {f"net.{layer}weight", *(f"net.{name}" for name in left)}
    assert plain.keys() - {f"net.{layer}bias"} == wanted
    torch.testing.assert_close(conv(plain, f"net.{layer}".rstrip("."), X, padding=1), drawn, rtol=0, atol=1e-10)


@pytest.mark.parametrize("bias", [True, False])
def test_spans_chain_beside_a_point_folds_and_its_stale_convolution_is_not_read(bias):
    tensors = chain(("conv.0", "conv.1", "conv.2"), (3, 6, 8, 4), bias) | {"sk.weight": rand(4, 3, 1, 1)}
    stale = {"eval_conv.weight": rand(4, 3, 3, 3)}
    if bias:
        tensors["sk.bias"], stale["eval_conv.bias"] = rand(4), rand(4)
    drawn = conv(tensors, "sk", X) + conv(
        tensors, "conv.2", conv(tensors, "conv.1", conv(tensors, "conv.0", F.pad(X, (1, 1, 1, 1))))
    )
    check(tensors | stale, "eval_conv.", drawn)
    check(tensors, "eval_conv.", drawn)


def edge_branches(base):
    tensors = {f"{base}.weight": rand(4, 3, 3, 3), f"{base}.bias": rand(4)}
    shapes = {"k0": (8, 3, 1, 1), "b0": (8,), "k1": (4, 8, 3, 3), "b1": (4,)}
    tensors |= {f"conv1x1_3x3.{name}": rand(*shape) for name, shape in shapes.items()}
    shapes = {"k0": (4, 3, 1, 1), "b0": (4,), "scale": (4, 1, 1, 1), "bias": (4,), "mask": (4, 1, 3, 3)}
    for edge in ("sbx", "sby", "lpl"):
        tensors |= {f"conv1x1_{edge}.{name}": rand(*shape) for name, shape in shapes.items()}
    return tensors


def test_ecbsrs_edge_branches_fold():
    tensors = edge_branches("conv3x3")
    padded = F.pad(X, (1, 1, 1, 1))
    part = {name.removeprefix("conv1x1_3x3."): tensor for name, tensor in tensors.items()}
    drawn = conv(tensors, "conv3x3", X, padding=1) + F.conv2d(
        F.conv2d(padded, part["k0"], part["b0"]), part["k1"], part["b1"]
    )
    for edge in ("conv1x1_sbx", "conv1x1_sby", "conv1x1_lpl"):
        wide = F.conv2d(padded, tensors[f"{edge}.k0"], tensors[f"{edge}.b0"])
        kernel = tensors[f"{edge}.scale"] * tensors[f"{edge}.mask"]
        drawn = drawn + F.conv2d(wide, kernel, tensors[f"{edge}.bias"], groups=4)
    check(tensors | {"act.weight": rand(4)}, "conv3x3.", drawn, left=["act.weight"])


def test_efdns_branches_are_refused_as_their_file_does_not_say_which_are_added():
    with pytest.raises(InputError, match=r"switch_to_deploy\(\)"):
        folded({f"cell.conv2.{name}": tensor for name, tensor in edge_branches("rep_conv").items()})


NAMES = ("expand_conv", "fea_conv", "reduce_conv")


def test_fmens_residual_branches_fold():
    tensors = chain(NAMES, (3, 6, 6, 3))
    wide = conv(tensors, "expand_conv", F.pad(X, (1, 1, 1, 1)))
    inner = conv(tensors, "fea_conv", wide) + wide[:, :, 1:-1, 1:-1]
    check(tensors, "rep_conv.", conv(tensors, "reduce_conv", inner) + X)


def test_plainusrs_gated_branches_fold():
    tensors = chain(NAMES, (3, 6, 6, 3))
    gate = {"se.tensor": rand(1, 6, 1, 1), "se.se.1.weight": rand(3, 6), "se.se.3.weight": rand(6, 3)}
    weights = torch.sigmoid(F.silu(gate["se.tensor"].flatten() @ gate["se.se.1.weight"].T) @ gate["se.se.3.weight"].T)
    wide = conv(tensors, "expand_conv", F.pad(X, (1, 1, 1, 1)))
    inner = conv(tensors, "fea_conv", wide) * weights[:, None, None] + wide[:, :, 1:-1, 1:-1]
    check(tensors | gate, "", conv(tensors, "reduce_conv", inner) + X)


def test_fmens_norms_fold_into_the_convolutions_behind_and_before_them():
    tensors = {}
    for norm, channels in (("bn1", 3), ("bn2", 2), ("bn3", 3)):
        tensors |= {f"{norm}.{name}": rand(channels) for name in ("weight", "bias", "running_mean")}
        tensors[f"{norm}.running_var"] = rand(channels).abs() + 0.5
    for name, before, behind in (("squeeze", 3, 2), ("excitate", 2, 3)):
        tensors |= {f"{name}.weight": rand(behind, before, 3, 3), f"{name}.bias": rand(behind)}
    plain = folded({f"warmup.1.{name}": tensor for name, tensor in tensors.items()})
    assert plain.keys() == {
        f"warmup.1.{conv}.{name}" for conv in ("squeeze", "excitate") for name in ("weight", "bias")
    }

    def norm(name, x):
        part = (tensors[f"{name}.{each}"] for each in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, *part)

    narrow = conv(tensors, "squeeze", norm("bn1", F.pad(X, (1, 1, 1, 1))))
    torch.testing.assert_close(conv(plain, "warmup.1.squeeze", X, padding=1), narrow, rtol=0, atol=1e-10)
    drawn = norm("bn3", conv(tensors, "excitate", norm("bn2", F.pad(narrow, (1, 1, 1, 1)))))
    torch.testing.assert_close(conv(plain, "warmup.1.excitate", narrow, padding=1), drawn, rtol=0, atol=1e-10)


def test_what_is_no_whole_branch_stays_as_it_is():
    tensors = {"task.weight": rand(1), "conv.0.weight": rand(1), "a.sk.weight": rand(1), "expand_conv.weight": rand(1)}
    assert folded(tensors).keys() == tensors.keys()

"""Convolutions that fold together compute what each computes alone, and forget it."""

import pytest
import torch
from torch import Tensor, nn

from search_spaces.architecture import Architecture, Block
from search_spaces.folding import WideConv, folded_together
from search_spaces.network import SearchedNetwork, build
from search_spaces.symmetry import SymmetricConv3XC
from sr.deployment import deploy

KINDS = ("wide_residual", "symmetric_residual", "residual_leaky", "wide_residual", "symmetric_residual")


def network(kinds: tuple[str, ...] = KINDS) -> SearchedNetwork:
    torch.manual_seed(0)
    made = build(Architecture(16, tuple(map(Block, kinds)), image_skip="learned")).double()
    for value in made.parameters():
        nn.init.normal_(value, std=0.1)
    return made


def learnt(made: SearchedNetwork, lr: Tensor) -> dict[str, Tensor]:
    """Return SR and the gradient of every parameter, by its name."""
    made.zero_grad()
    sr = made(lr)
    sr.square().mean().backward()
    return {"sr": sr.detach(), **{name: value.grad.clone() for name, value in made.named_parameters()}}  # type: ignore[union-attr]


@pytest.mark.parametrize("kinds", [KINDS, ("symmetric_residual",), ("residual_leaky",)])
def test_a_network_in_training_computes_and_learns_what_its_convolutions_alone_do(
    kinds: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, lr = network(kinds), torch.rand(2, 3, 7, 9, dtype=torch.float64)
    together = learnt(made.train(), lr)
    monkeypatch.setattr(made, "_wide_convs", list)
    alone = learnt(made, lr)
    assert together.keys() == alone.keys()
    for name, value in alone.items():
        torch.testing.assert_close(together[name], value, rtol=1e-9, atol=1e-12, msg=name)
    torch.testing.assert_close(deploy(made)(lr), alone["sr"], rtol=1e-9, atol=1e-12)


def test_a_kernel_is_folded_once_for_all_and_forgotten_even_where_the_forward_fails() -> None:
    convs = [WideConv(8), SymmetricConv3XC(8), SymmetricConv3XC(8)]
    feature = torch.rand(1, 8, 5, 5)
    before = [conv(feature) for conv in convs]

    def changed() -> list[bool]:
        return [not torch.equal(conv(feature), value) for conv, value in zip(convs, before, strict=True)]

    def fail() -> None:
        with folded_together(convs), torch.no_grad():
            for conv in convs:
                conv.point.weight.add_(1.0)
            within.extend(conv(feature) for conv in convs)
            raise KeyError

    within: list[Tensor] = []
    with pytest.raises(KeyError):
        fail()
    torch.testing.assert_close(within, before)
    assert changed() == [True] * 3

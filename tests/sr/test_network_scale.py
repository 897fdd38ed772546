"""The scale of a network, by what it makes of one picture."""

import pytest
import torch
from torch import Tensor, nn

from sr.errors import InputError
from sr.network_scale import scale_of
from sr.scale import DEFAULT_SCALE, SCALES

pytestmark = pytest.mark.numeric


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("lr_size", [(None, None), (16, 24), (None, 32)])
def test_the_scale_is_that_of_the_picture_that_comes_back(scale: int, lr_size: tuple[int | None, int | None]) -> None:
    network, seen = nn.Upsample(scale_factor=scale), list[tuple[int, ...]]()

    def run(lr: Tensor) -> Tensor:
        seen.append(tuple(lr.shape))
        return network(lr)

    assert scale_of(run, lr_size) == scale
    ((_, _, height, width),) = seen
    for side, given in zip((height, width), lr_size, strict=True):
        assert side == given if given else side % 64 == 0


@pytest.mark.parametrize("factor", [1, 5, (2, 4)])
def test_what_is_no_scale_is_an_input_error(factor: int | tuple[int, int]) -> None:
    with pytest.raises(InputError, match=r"s one of 2, 3, 4, but \(1, 3, 64, 128\) became \(1, 3, "):
        scale_of(nn.Upsample(scale_factor=factor))


def test_a_network_that_does_not_run_the_picture_is_of_the_usual_scale() -> None:
    def never(_lr: Tensor) -> Tensor:
        raise InputError("this plan does not run (1, 3, 64, 128)")

    assert scale_of(never) == DEFAULT_SCALE


def test_memory_that_does_not_suffice_is_an_error() -> None:
    def full(_lr: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        scale_of(full)

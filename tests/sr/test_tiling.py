"""Tiles change nothing, and pictures of any size go through."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sr.errors import InputError
from sr.lr_size import SMALLEST_SIDE
from sr.scale import SCALES
from sr.tiling import spans, upscale, upscale_at_multiple, upscale_at_size, upscale_in_memory, windows

pytestmark = pytest.mark.numeric


class Small(nn.Module):
    """A network that sees 3 LR pixels around each and counts its calls and the largest input."""

    def __init__(self, scale: int = 4) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
            nn.Conv2d(8, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale),
        )  # fmt: skip
        self.seen: list[tuple[int, ...]] = []

    def forward(self, lr: Tensor) -> Tensor:
        if not torch.compiler.is_exporting():
            self.seen.append(tuple(lr.shape[2:]))
        return self.layers(lr)


# Repeats every pixel 4 x 4 times.
ENLARGE = nn.Upsample(scale_factor=4)


@given(st.integers(16, 70), st.integers(16, 70), st.integers(8, 30), st.sampled_from(SCALES))
@settings(max_examples=12, deadline=None)
def test_tiles_that_overlap_the_receptive_field_change_nothing(height, width, tile, scale):
    network = Small(scale).double().eval()
    lr = torch.rand(2, 3, height, width, dtype=torch.float64)
    with torch.inference_mode():
        tiled = upscale(network, lr, tile=tile, overlap=3, scale=scale)
        sides = network.seen.copy()
        torch.testing.assert_close(tiled, network(lr), atol=1e-10, rtol=0)
    if height * width > (tile + 6) ** 2:
        assert len(sides) > 1
        assert max(max(side) for side in sides) <= tile + 6
    else:
        assert sides == [(height, width)]


def test_too_small_an_overlap_shows_that_the_tiles_are_real():
    network = Small().double().eval()
    lr = torch.rand(1, 3, 40, 40, dtype=torch.float64)
    with torch.inference_mode():
        difference = (upscale(network, lr, tile=16, overlap=1) - network(lr)).abs()
    assert difference.max() > 1e-4
    assert difference[..., :4, :4].max() < 1e-10, "the picture's own corner is far from the seams"


def test_a_qhd_picture_goes_through_in_tiles_of_bounded_size():
    network = ENLARGE
    seen = []
    network.register_forward_pre_hook(lambda _module, given: seen.append(tuple(given[0].shape[2:])))
    lr = torch.rand(1, 3, 540, 960)
    assert torch.equal(upscale(network, lr, tile=256), network(lr))
    assert max(max(side) for side in seen[:-1]) <= 320


@given(st.integers(1, 500), st.integers(1, 60))
def test_spans_cover_the_length_once(length, tile):
    cut = list(spans(length, tile))
    assert [start for start, _ in cut] == [0, *(end for _, end in cut[:-1])]
    assert cut[-1][1] == length
    assert all(1 <= end - start <= tile for start, end in cut)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 40), (20, 5), (15, 15)])
def test_tiny_pictures_are_padded_by_repetition_and_cropped(height, width):
    network = Small().eval()
    lr = torch.rand(1, 3, height, width)
    with torch.inference_mode():
        assert upscale(Small(3), lr, tile=256, scale=3).shape == (1, 3, 3 * height, 3 * width)
        sr = upscale(network, lr, tile=256)
        assert sr.shape == (1, 3, 4 * height, 4 * width)
        assert network.seen == [(max(height, SMALLEST_SIDE), max(width, SMALLEST_SIDE))]
        assert torch.equal(upscale(ENLARGE, lr, tile=256), ENLARGE(lr))


@pytest.mark.parametrize("scale", SCALES)
def test_a_network_of_another_scale_than_said_is_named(scale):
    network = nn.Upsample(scale_factor=5)
    with pytest.raises(InputError, match=rf"into \(n, 3, {scale}h, {scale}w\), but .* use a x{scale} network"):
        upscale(network, torch.rand(1, 3, 20, 20), tile=None, scale=scale)
    with pytest.raises(InputError, match=rf"use a x{scale} network"):
        upscale_at_size(network, torch.rand(1, 3, 20, 20), (16, 16), scale=scale)
    with pytest.raises(InputError, match=rf"use a x{scale} network"):
        upscale_at_multiple(network, torch.rand(1, 3, 20, 20), 8, scale)


def test_a_network_that_enlarges_nothing_is_named():
    with pytest.raises(InputError, match=r"\(1, 3, 20, 20\) became \(1, 3, 20, 20\)"):
        upscale(nn.Identity(), torch.rand(1, 3, 20, 20), tile=None)


class OfLittleMemory(nn.Module):
    """Repeats pixels, and has no room for more of them than so many."""

    def __init__(self, pixels: int, error: Exception) -> None:
        super().__init__()
        self.pixels, self.error = pixels, error
        self.refused = 0

    def forward(self, lr: Tensor) -> Tensor:
        if lr.shape[2] * lr.shape[3] > self.pixels:
            self.refused += 1
            raise self.error
        return lr.repeat_interleave(4, 2).repeat_interleave(4, 3)


@pytest.mark.parametrize("tile", [None, 150])
@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")]
)
def test_picture_that_has_no_room_is_upscaled_in_smaller_tiles(tile: int | None, error: Exception) -> None:
    network, lr = OfLittleMemory(120 * 120, error), torch.rand(1, 3, 130, 260)
    sr = upscale_in_memory(network, lr, tile=tile)
    assert network.refused >= 1
    assert torch.equal(sr, lr.repeat_interleave(4, 2).repeat_interleave(4, 3))


def test_picture_that_has_room_in_no_tile_is_an_error_of_memory() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        upscale_in_memory(
            OfLittleMemory(16, torch.OutOfMemoryError("CUDA out of memory")), torch.rand(1, 3, 64, 64), tile=None
        )


def test_other_error_of_a_network_is_raised_at_once() -> None:
    network = OfLittleMemory(16, RuntimeError("an illegal memory access"))
    with pytest.raises(RuntimeError, match="illegal memory access"):
        upscale_in_memory(network, torch.rand(1, 3, 64, 64), tile=None)
    assert network.refused == 1


@pytest.mark.parametrize("size", [(40, 300), (20, 20), (SMALLEST_SIDE - 1, 20)])
def test_tiles_go_to_the_device_and_are_put_together_where_lr_is(size: tuple[int, int]) -> None:
    """SR has 16 times the pixels: whole, with what is made of it, it would fill a GPU."""
    seen = []

    def network(lr: Tensor) -> Tensor:
        seen.append((lr.device.type, lr.shape[2] * lr.shape[3]))
        return torch.zeros(1, 3, 4 * lr.shape[2], 4 * lr.shape[3])

    sr = upscale(network, torch.rand(1, 3, *size), tile=48, overlap=8, device=torch.device("meta"))
    assert sr.device.type == "cpu"
    assert sr.shape[2:] == (4 * size[0], 4 * size[1])
    assert {device for device, _ in seen} == {"meta"}
    assert max(pixels for _, pixels in seen) <= 64 * 64


@given(st.integers(5, 70), st.integers(5, 70), st.sampled_from(SCALES))
@settings(max_examples=12, deadline=None)
def test_windows_of_one_size_change_nothing_inside_the_overlap(height: int, width: int, scale: int) -> None:
    network = Small(scale).double().eval()
    lr = torch.rand(2, 3, height, width, dtype=torch.float64)
    with torch.inference_mode():
        found = upscale_at_size(network, lr, (24, 20), overlap=3, scale=scale)
        assert set(network.seen) == {(24, 20)}
        if height >= 24 and width >= 20:
            torch.testing.assert_close(found, network(lr), atol=1e-10, rtol=0)
    assert found.shape == (2, 3, scale * height, scale * width)
    enlarge = nn.Upsample(scale_factor=scale)
    assert torch.equal(upscale_at_size(enlarge, lr, (24, 20), scale=scale), enlarge(lr))


@given(st.integers(0, 200), st.integers(4, 40), st.integers(0, 40))
def test_windows_cover_the_length_once_and_lie_inside_it(more: int, size: int, overlap: int) -> None:
    length = size + more
    cut = list(windows(length, size, overlap))
    assert [start for start, _, _ in cut] == [0, *(end for _, end, _ in cut[:-1])]
    assert cut[-1][1] == length
    least = min(overlap, size // 4)
    for start, end, seen in cut:
        assert 0 <= seen <= min(start, length - size)
        assert end <= seen + size
        assert start - seen >= min(least, start)
        assert seen + size - end >= min(least, length - end)


class Picky(nn.Module):
    """Takes sides that are multiples of 8 alone, as what cuts windows does."""

    def forward(self, lr: Tensor) -> Tensor:
        if lr.shape[2] % 8 or lr.shape[3] % 8:
            raise InputError("no multiple of 8")
        return ENLARGE(lr)


@pytest.mark.parametrize(("height", "width"), [(16, 24), (17, 23), (1, 8)])
def test_sides_are_padded_to_multiples_and_cropped(height: int, width: int) -> None:
    lr = torch.rand(1, 3, height, width)
    assert torch.equal(upscale_at_multiple(Picky(), lr, 8), ENLARGE(lr))
    with pytest.raises(InputError, match="no multiple"):
        upscale_at_multiple(Picky(), torch.rand(1, 3, 17, 24), 1)

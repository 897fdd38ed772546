"""Nothing of a picture is lost when it is enlarged, in tiles or without, with memory or with little."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sr.errors import InputError
from sr.pictures import enlarging
from sr.pictures.enlarging import Enlarger, Tiles
from sr.pictures.picture import Frame
from sr.progress import Event

pytestmark = pytest.mark.numeric

# Repeats every pixel 4 x 4 times.
ENLARGE = nn.Upsample(scale_factor=4)


class Colourful(nn.Module):
    """Gives another colour than it got, and sees 1 LR pixel around each."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 48, 3, padding=1), nn.PixelShuffle(4))

    def forward(self, lr: Tensor) -> Tensor:
        return self.layers(lr)


class Hungry(nn.Module):
    """Runs out of memory above so many pixels, as an engine says it."""

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__()
        self.most, self.error, self.calls = most, error, 0

    def forward(self, lr: Tensor) -> Tensor:
        self.calls += 1
        if lr.shape[2] * lr.shape[3] > self.most:
            raise self.error
        return ENLARGE(lr)


def noise(*shape: int, bits: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2**bits, shape).astype(f"uint{bits}")


def enlarge(network: nn.Module, pixels: np.ndarray, scale: int = 4, **options: object) -> np.ndarray:
    rows = Enlarger(network, scale=scale, **options).enlarged(Frame(pixels))
    assert rows.layout == Frame(pixels).layout.enlarged(scale)
    return rows.whole()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_depth_and_channels_are_kept(bits: int, channels: int) -> None:
    pixels = noise(20, 24, channels, bits=bits)
    found = enlarge(ENLARGE, pixels)
    assert found.dtype == pixels.dtype
    assert np.array_equal(found, pixels.repeat(4, 0).repeat(4, 1))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_goes_along(bits: int, channels: int) -> None:
    pixels = noise(20, 24, channels, bits=bits)
    pixels[..., -1] = 0
    pixels[:, 12:, -1] = 2**bits - 1
    found = enlarge(ENLARGE, pixels)
    assert (found[:, :40, -1] == 0).all()
    assert (found[:, 56:, -1] == 2**bits - 1).all()
    assert np.array_equal(found[:, 48:, :-1], pixels[:, 12:, :-1].repeat(4, 0).repeat(4, 1))


@pytest.mark.parametrize("scale", [2, 3])
@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_scale_keeps_every_pixel(scale: int, tile: tuple[int, int] | None, channels: int) -> None:
    pixels = noise(40, 50, channels)
    if channels == 4:
        pixels[..., -1] = 255
    found = enlarge(nn.Upsample(scale_factor=scale), pixels, scale, tiles=Tiles(tile, overlap=4))
    assert np.array_equal(found, pixels.repeat(scale, 0).repeat(scale, 1))


@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_grey_stays_exactly_grey(tile: tuple[int, int] | None) -> None:
    grey = noise(40, 50, 1)
    one = enlarge(Colourful(), grey, tiles=Tiles(tile, overlap=4))
    assert one.shape == (160, 200, 1)
    network = Colourful()
    three = enlarge(network, np.repeat(grey, 3, axis=2), tiles=Tiles(tile, overlap=4))
    assert (three == three[..., :1]).all()
    assert np.array_equal(three[..., :1], enlarge(network, grey, tiles=Tiles(tile, overlap=4)))
    coloured = np.repeat(grey, 3, axis=2)
    coloured[20, 20, 0] ^= 1
    found = enlarge(network, coloured, tiles=Tiles(tile, overlap=4))
    assert (found != found[..., :1]).any(), "one pixel of another colour is enough not to be grey"


def test_hidden_black_does_not_bleed() -> None:
    class Blurring(nn.Module):
        def forward(self, lr: Tensor) -> Tensor:
            return ENLARGE(nn.functional.avg_pool2d(lr, 5, 1, 2, count_include_pad=False))

    pixels = np.zeros((24, 40, 4), np.uint8)
    pixels[:, 20:] = 255
    found = enlarge(Blurring(), pixels)
    seen = found[..., 3] > 0
    assert (found[seen][:, :3] == 255).all()


@given(st.integers(20, 60), st.integers(20, 60), st.integers(16, 30), st.sampled_from([1, 3, 4]))
@settings(max_examples=10, deadline=None)
def test_tiles_change_nothing(height: int, width: int, tile: int, channels: int) -> None:
    pixels = noise(height, width, channels)
    network = Colourful()
    tiled = enlarge(network, pixels, tiles=Tiles((tile, tile), overlap=2))
    # Sums in another order, before they are rounded.
    assert abs(tiled.astype(int) - enlarge(network, pixels)).max() <= 1


def test_large_pictures_come_in_bands_as_high_as_a_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = noise(100, 60, 3)
    rows = Enlarger(ENLARGE, tiles=Tiles((32, 32), overlap=2)).enlarged(Frame(pixels))
    heights = [len(band) for band in rows.bands]
    assert (sum(heights), max(heights)) == (400, 100)
    # Where rows are long, lower ones.
    monkeypatch.setattr(enlarging, "_BAND_BYTES", 1)
    rows = Enlarger(ENLARGE, tiles=Tiles((32, 32), overlap=2)).enlarged(Frame(pixels))
    assert max(len(band) for band in rows.bands) <= 64


@pytest.mark.parametrize(
    "error",
    [MemoryError(), torch.OutOfMemoryError("CUDA out of memory"),
     RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried to")],
)  # fmt: skip
def test_memory_that_does_not_suffice_makes_the_tiles_smaller(error: Exception) -> None:
    pixels, said = noise(100, 90, 3), list[Event]()
    network = Hungry(40 * 40, error)
    enlarger = Enlarger(network, tiles=Tiles(overlap=2), report=said.append)
    assert np.array_equal(enlarger.enlarged(Frame(pixels)).whole(), pixels.repeat(4, 0).repeat(4, 1))
    assert [str(event) for event in said] == [
        "memory does not suffice for 90x100 at once, goes on in tiles of 45x50",
        "memory does not suffice for 45x50 at once, goes on in tiles of 23x25",
    ]
    network.calls = 0
    enlarger.enlarged(Frame(pixels)).whole()
    assert network.calls == 16, "the next picture begins with what memory sufficed for"


def test_memory_that_never_suffices_is_one_line() -> None:
    enlarger = Enlarger(Hungry(3, MemoryError("none left")), tiles=Tiles(overlap=2))
    with pytest.raises(InputError, match=r"memory does not suffice for a tile of \d+x\d+: none left"):
        enlarger.enlarged(Frame(noise(40, 40, 3))).whole()


def test_other_errors_are_not_taken_for_memory() -> None:
    network = Hungry(3, RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        Enlarger(network).enlarged(Frame(noise(40, 40, 3))).whole()
    assert network.calls == 1


def test_a_network_of_one_size_sees_as_much_of_the_picture_as_it_takes() -> None:
    sizes = set()

    class Seen(nn.Module):
        def forward(self, lr: Tensor) -> Tensor:
            sizes.add(tuple(lr.shape[2:]))
            return ENLARGE(lr)

    pixels = noise(70, 90, 3)
    found = enlarge(Seen(), pixels, tiles=Tiles((16, 32), overlap=8, least=(32, 48)))
    assert np.array_equal(found, pixels.repeat(4, 0).repeat(4, 1))
    assert sizes == {(32, 48)}


def test_values_outside_the_range_are_clamped() -> None:
    class Loud(nn.Module):
        def forward(self, lr: Tensor) -> Tensor:
            return ENLARGE(lr) * 4 - 1

    rgb = np.zeros((16, 16, 3), np.uint8)
    rgb[8:] = 255
    assert np.array_equal(enlarge(Loud(), rgb), rgb.repeat(4, 0).repeat(4, 1))

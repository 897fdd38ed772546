import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sr.data.pairs import Packed, Pairs, PatchPositions, fitting_patch, pack, packed, patch_walk, same_pictures, walked
from sr.progress import Event
from sr.scale import SCALES

SYMMETRIES = range(8)


def pairs_of(*sizes: tuple[int, int], seed: int = 0, scale: int = 4) -> Pairs:
    """HR of random blocks of one colour, LR that colour: the same region has the same content."""
    generator = torch.Generator().manual_seed(seed)
    lr = [torch.randint(0, 256, (*size, 3), generator=generator, dtype=torch.uint8) for size in sizes]
    hr = [small.repeat_interleave(scale, 0).repeat_interleave(scale, 1) for small in lr]
    return Pairs(tuple(f"p{index}" for index in range(len(sizes))), pack(lr), pack(hr), scale)


def turned(picture: torch.Tensor, symmetry: int) -> torch.Tensor:
    """The symmetry of a (h, h, 3) picture by its definition: swap, then flip."""
    swapped = picture.transpose(0, 1) if symmetry & 4 else picture
    return swapped.flip([axis for axis, bit in ((0, 1), (1, 2)) if symmetry & bit])


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_packed_pictures_come_back() -> None:
    pictures = [torch.randint(0, 256, (*size, 3), dtype=torch.uint8) for size in ((2, 3), (5, 1), (4, 4))]
    side = pack(pictures)
    assert len(side) == 3
    assert side.offsets.tolist() == [0, 6, 11]
    for index, picture in enumerate(pictures):
        assert torch.equal(side.picture(index), picture)


def test_a_pair_is_ready_for_a_network() -> None:
    pairs = pairs_of((3, 5), (4, 2))
    lr, hr = pairs.pair(1)
    assert (lr.shape, lr.dtype) == ((1, 3, 4, 2), torch.float32)
    assert (hr.shape, hr.dtype) == ((1, 3, 16, 8), torch.uint8)
    assert torch.equal(lr * 255, hr[..., ::4, ::4].float())
    assert lr.is_contiguous()
    assert lr.max() <= 1


@given(
    st.integers(0, 2**32),
    st.integers(1, 6),
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1),
    st.sampled_from(SCALES),
)
def test_lr_and_hr_patches_show_the_same_region(
    seed: int, patch: int, sizes: list[tuple[int, int]], scale: int
) -> None:
    pairs = pairs_of((6, 6), *sizes, scale=scale)
    lr, hr = pairs.patches(5, patch, generator(seed))
    assert lr.shape == (5, 3, patch, patch)
    assert torch.equal(lr.repeat_interleave(scale, 2).repeat_interleave(scale, 3), hr)


@given(st.integers(0, 2**32), st.integers(1, 6))
def test_patches_are_what_lies_at_the_positions_drawn(seed: int, patch: int) -> None:
    pairs = pairs_of((6, 9), (7, 6), (2, 2))
    positions = pairs.draw(5, patch, generator(seed))
    lr, hr = pairs.patches(5, patch, generator(seed))
    for index in range(5):
        picture, row, column, symmetry = (
            int(values[index]) for values in (positions.picture, positions.row, positions.column, positions.symmetry)
        )
        for packed_side, patches, scale in ((pairs.lr, lr, 1), (pairs.hr, hr, 4)):
            top, left, size = scale * row, scale * column, scale * patch
            region = packed_side.picture(picture)[top : top + size, left : left + size]
            assert torch.equal(turned(region, symmetry).permute(2, 0, 1) / 255, patches[index])


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_every_symmetry_by_its_definition(symmetry: int) -> None:
    side = pack(
        [torch.randint(0, 256, (3, 3, 3), dtype=torch.uint8), torch.randint(0, 256, (6, 7, 3), dtype=torch.uint8)]
    )
    positions = PatchPositions(*(torch.tensor([value]) for value in (1, 2, 1, symmetry)))
    pixels = walked(patch_walk(side, positions, 1, 4), 4)
    expected = turned(side.picture(1)[2:6, 1:5], symmetry)
    assert torch.equal((side.gather(pixels)[0] * 255).round().byte(), expected.permute(2, 0, 1))


def test_the_symmetries_are_eight_and_all_drawn() -> None:
    pairs = pairs_of((3, 3))
    lr, _ = pairs.patches(400, 3, generator())
    seen = {tuple((patch * 255).round().int().flatten().tolist()) for patch in lr}
    whole = pairs.lr.picture(0)
    assert seen == {tuple(turned(whole, s).permute(2, 0, 1).flatten().tolist()) for s in SYMMETRIES}
    assert len(seen) == 8


def test_every_position_of_every_picture_is_as_likely() -> None:
    # 12 + 2 positions of one pixel, each with a colour of its own; 0 positions in none.
    colours = torch.arange(14, dtype=torch.uint8)[:, None].expand(14, 3)
    lr = [colours[:12].reshape(3, 4, 3), colours[12:].reshape(2, 1, 3)]
    hr = [small.repeat_interleave(4, 0).repeat_interleave(4, 1) for small in lr]
    patches, _ = Pairs(("a", "b"), pack(lr), pack(hr)).patches(14_000, 1, generator())
    counts = (patches[:, 0] * 255).round().long().flatten().bincount(minlength=14)
    # Binomial with mean 1000 and deviation 30.5.
    assert (counts - 1000).abs().max() < 5 * 30.5


def test_patches_are_channels_last_and_repeat_with_the_seed() -> None:
    pairs = pairs_of((9, 9), (7, 12))
    first, again, other = (pairs.patches(4, 5, generator(seed)) for seed in (1, 1, 2))
    for side, same in zip(first, again, strict=True):
        assert side.dtype == torch.float32
        assert side.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(side, same)
    assert not torch.equal(first[0], other[0])


def test_small_pictures_are_never_drawn() -> None:
    pairs = pairs_of((2, 50), (5, 5), (50, 4))
    lr, _ = pairs.patches(50, 5, generator())
    values = pairs.lr.picture(1).flatten().sort().values
    for patch in lr:
        assert torch.equal((patch * 255).round().byte().flatten().sort().values, values)
    with pytest.raises(ValueError, match=r"sides of at least 6, the largest has 4x50"):
        pairs.patches(1, 6, generator())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_cuts_the_same_patches() -> None:
    pairs = pairs_of((9, 9), (7, 12))
    for here, there in zip(pairs.patches(8, 5, generator()), pairs.to("cuda").patches(8, 5, generator()), strict=True):
        assert there.is_cuda
        assert torch.allclose(here, there.cpu())


def test_centre_crops() -> None:
    pairs = pairs_of(*[(9, 4)] * 7)
    crops = pairs.centre_crops(5, 3)
    assert crops.names == ("p0", "p2", "p4")
    assert torch.equal(crops.lr.picture(1), pairs.lr.picture(2)[2:7])
    assert torch.equal(crops.hr.picture(1), pairs.hr.picture(2)[8:28])
    assert pairs.centre_crops(5, 100).names == pairs.names


@pytest.mark.parametrize("scale", SCALES)
def test_what_is_made_of_pairs_keeps_their_scale(scale: int) -> None:
    pairs = pairs_of((9, 7), (8, 8), scale=scale)
    assert pairs.to("cpu").scale == scale
    crops = pairs.centre_crops(4, 2)
    assert crops.scale == scale
    for index in range(2):
        lr, hr = crops.pair(index)
        assert torch.equal((lr * 255).round().byte().repeat_interleave(scale, 2).repeat_interleave(scale, 3), hr)


def test_pairs_of_another_scale_than_they_say_are_refused() -> None:
    good = pairs_of((3, 5), scale=2)
    with pytest.raises(ValueError, match="HR must be 3 times LR, not so in p0"):
        Pairs(good.names, good.lr, good.hr, 3)


def test_hr_is_4_times_lr() -> None:
    good = pairs_of((3, 5), (4, 2))
    with pytest.raises(ValueError, match="not so in p1"):
        Pairs(good.names, good.lr, packed(good.hr.values, [(12, 20), (8, 16)]))
    with pytest.raises(ValueError, match="as many"):
        Pairs(good.names[:1], good.lr, good.hr)


def test_to_moves_the_pixels_and_keeps_the_table() -> None:
    moved = pairs_of((3, 5)).to("meta")
    assert moved.lr.values.is_meta
    assert isinstance(moved.hr, Packed)
    assert moved.hr.heights.tolist() == [12]


def test_equal_pictures_are_found_under_other_names() -> None:
    a, b = pairs_of((3, 5), (4, 2), (6, 6)), pairs_of((7, 7), seed=1)
    both = Pairs(("x", "y"), pack([b.lr.picture(0), a.lr.picture(2)]), pack([b.hr.picture(0), a.hr.picture(2)]))
    assert same_pictures(a, both) == ["p2"]
    assert same_pictures(a, b) == []
    assert same_pictures(a, a) == ["p0", "p1", "p2"]


def test_the_same_bytes_in_another_shape_are_another_picture() -> None:
    lr, hr = torch.zeros(2, 3, 3, dtype=torch.uint8), torch.zeros(8, 12, 3, dtype=torch.uint8)
    wide = Pairs(("wide",), pack([lr]), pack([hr]))
    tall = Pairs(("tall",), pack([lr.view(3, 2, 3)]), pack([hr.view(12, 8, 3)]))
    assert same_pictures(wide, tall) == []


def test_one_small_picture_is_left_out_and_the_patch_stays() -> None:
    pairs = pairs_of((9, 12), (3, 9), (8, 8))
    events: list[Event] = []
    assert fitting_patch(pairs, 8, events.append) == 8
    assert [str(event) for event in events] == ["left out 1: 1 too small for patches of 8 (p1)"]
    assert set(pairs.draw(64, 8, generator()).picture.tolist()) == {0, 2}


def test_patches_that_every_picture_gives_say_nothing() -> None:
    assert fitting_patch(pairs_of((9, 12), (3, 9)), 3, pytest.fail) == 3


def test_patches_larger_than_all_pictures_become_what_the_largest_gives() -> None:
    events: list[Event] = []
    assert fitting_patch(pairs_of((5, 12), (7, 9)), 8, events.append) == 7
    assert [str(event) for event in events] == ["patches of 7 instead of 8: no LR picture has longer sides"]

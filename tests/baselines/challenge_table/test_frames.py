"""The list of frame sizes, and the passes over it."""

from collections import Counter

import pytest
import torch
from torch import Tensor, nn

from baselines.challenge_table.frames import DIV2K_TEST, estimated_seconds, pass_means, read_sizes
from sr.errors import InputError
from sr.lr_size import parse_size, size_text
from sr.measure.engines.registry import engine_of
from sr.measure.target import Target


class Noting(nn.Module):
    """A convolution and a shuffle; notes the sizes and layouts that it was called with, its copies too."""

    calls: list[tuple[tuple[int, ...], bool, torch.dtype]] = []  # noqa: RUF012 - emptied by every test

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 48, 3, padding=1)
        self.shuffle = nn.PixelShuffle(4)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) to (n, 3, 4h, 4w)."""
        self.calls.append((tuple(lr.shape[2:]), lr.is_contiguous(memory_format=torch.channels_last), lr.dtype))
        return self.shuffle(self.conv(lr))


def test_the_default_list_is_the_hundred_of_div2ks_test_set():
    sizes = read_sizes(DIV2K_TEST)
    assert len(sizes) == 100
    # DIV2K's pictures are 2040 pixels in one direction.
    assert all(510 in size for size in sizes)
    assert Counter(sizes).most_common(1)[0][0] == (339, 510)


def test_the_default_list_is_the_one_of_the_facts(shared):
    assert read_sizes(DIV2K_TEST) == read_sizes(shared / "facts" / "div2k_test_lr_sizes.csv")


def test_sizes_are_read_as_height_and_width(tmp_path):
    path = tmp_path / "sizes.csv"
    path.write_text("name,width,height\na,480,270\nb,16,20\n")
    assert read_sizes(path) == ((270, 480), (20, 16))
    assert size_text((270, 480)) == "480x270"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("w,h\n1,2\n", "the columns width,height; it has"),
        ("", "it has None"),
        ("width,height\n", "at least one line"),
        ("width,height\n480,15\n", "got '480x15'"),
        ("width,height\n480,abc\n", "got '480xabc'"),
        ("width,height\n480\n", "got '480xNone'"),
        ("\xff\xfe", "must be a CSV"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "sizes.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=message) as caught:
        read_sizes(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="none"):
        read_sizes(tmp_path / "none.csv")


@pytest.mark.parametrize("text", ["256", "256x", "x256", "15x256", "-20x30", "20x30x40", ""])
def test_a_size_is_two_numbers(text):
    with pytest.raises(InputError, match="WIDTHxHEIGHT"):
        parse_size(text)


def test_every_pass_runs_every_frame_once_in_order():
    Noting.calls.clear()
    frames = [(16, 20), (24, 16), (16, 20)]
    target = Target(torch.device("cpu"), dtype="bfloat16")
    means = pass_means(Noting(), target, frames, memory_format="channels_last")
    # One cold run before the first pass.
    assert [size for size, _, _ in Noting.calls] == [frames[0], *frames * 3]
    assert all(last and dtype == torch.bfloat16 for _, last, dtype in Noting.calls)
    assert len(means) == 3
    assert all(mean > 0 for mean in means)


def test_an_engine_of_fixed_sizes_runs_a_file_of_free_size():
    target = Target(torch.device("cpu"), engine="onnxruntime")
    means = pass_means(Noting(), target, [(16, 20), (24, 16)], memory_format="contiguous")
    assert all(mean > 0 for mean in means)


def test_an_engine_that_compiles_for_one_size_is_refused_in_one_line():
    target = Target(torch.device("cpu"), engine="torch-compile")
    try:
        engine_of(target)
    except InputError as error:
        pytest.skip(str(error))
    with pytest.raises(InputError, match="compiles a network anew for each size"):
        pass_means(Noting(), target, [(16, 20)], memory_format="contiguous")


def test_the_estimate_goes_by_pixels():
    # Two frames of half the size each: as much as one whole, three times over.
    assert estimated_seconds(1000.0, (32, 32), [(16, 32), (32, 16)]) == pytest.approx(3.0)

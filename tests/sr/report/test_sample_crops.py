"""The crops that a run keeps lie where ours and bicubic differ most, and are read as they were written."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from sr.data.degradation import upscale_bicubic
from sr.data.images import read_picture
from sr.data.pairs import Pairs, pack
from sr.errors import InputError
from sr.report.sample_crops import add_rival, keep_samples
from sr.report.samples import BICUBIC, HR, LISTED, LR, OURS, read_samples
from sr.report.slider import slider


@pytest.fixture(scope="module")
def val() -> Pairs:
    generator = torch.Generator().manual_seed(0)
    lr = [torch.randint(0, 256, (64, 120, 3), dtype=torch.uint8, generator=generator) for _ in range(2)]
    hr = [each.repeat_interleave(4, 0).repeat_interleave(4, 1) for each in lr]
    return Pairs(("plain", "other"), pack(lr), pack(hr))


def brighter_at_the_right(lr: Tensor) -> Tensor:
    """Return what differs from bicubic in the last 40 LR columns alone."""
    sr = upscale_bicubic(lr).clamp(0, 1)
    sr[..., 320:] = 1 - sr[..., 320:]
    return sr


def test_crops_lie_where_ours_and_bicubic_differ(val: Pairs, tmp_path: Path) -> None:
    keep_samples(tmp_path, val, brighter_at_the_right)
    samples = read_samples(tmp_path)
    assert {each.picture for each in samples} == {"plain", "other"}
    for sample in samples:
        assert set(sample.files) == {LR, BICUBIC, OURS, HR}
        assert read_picture(sample.files[LR]).rgb.shape == (60, 80, 3)
        ours, bicubic = (read_picture(sample.files[name]).rgb for name in (OURS, BICUBIC))
        assert ours.shape == (240, 320, 3)
        assert (ours != bicubic).any(axis=(0, 2)).sum() == 160, "all 40 columns that differ"


def test_crops_are_of_the_scale_of_the_pictures(tmp_path: Path) -> None:
    lr = torch.randint(0, 256, (64, 120, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    hr = lr.repeat_interleave(2, 0).repeat_interleave(2, 1).clamp(max=254) + 1
    val = Pairs(("x2",), pack([lr]), pack([hr]), 2)
    keep_samples(tmp_path, val, torch.nn.Upsample(scale_factor=2))
    (sample,) = read_samples(tmp_path)
    assert read_picture(sample.files[LR]).rgb.shape == (60, 80, 3)
    assert {read_picture(sample.files[name]).rgb.shape for name in (OURS, BICUBIC, HR)} == {(120, 160, 3)}
    assert sample.psnr[OURS] > sample.psnr[BICUBIC]


def test_a_rival_is_added_to_every_crop(val: Pairs, tmp_path: Path) -> None:
    add_rival(tmp_path, val, "RFDN", upscale_bicubic)
    assert read_samples(tmp_path) == [], "nothing was kept"
    keep_samples(tmp_path, val, brighter_at_the_right)
    add_rival(tmp_path, val, "RFDN <16>", upscale_bicubic)
    for sample in read_samples(tmp_path):
        assert sample.psnr["RFDN <16>"] == pytest.approx(sample.psnr[BICUBIC])
    page = slider(read_samples(tmp_path))
    assert "RFDN &lt;16&gt;" in page
    assert page.count('data-name="ours"') == 2


def test_a_folder_that_holds_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / LISTED).write_text('[{"picture": "a"}]')
    with pytest.raises(InputError, match="is not what a run left there"):
        read_samples(tmp_path)
    (tmp_path / LISTED).write_text('[{"picture": "a", "files": {"HR": "gone.png"}, "psnr": {}}]')
    with pytest.raises(InputError, match=r"gone\.png is not there"):
        read_samples(tmp_path)

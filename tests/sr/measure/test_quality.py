import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sr.data.degradation import degrade, upscale_bicubic
from sr.data.pairs import Pairs, pack
from sr.data.sources import load_pairs
from sr.measure.metrics import psnr, ssim
from sr.measure.quality import Quality, bicubic_quality, evaluate, mean

pytestmark = pytest.mark.numeric


class Enlarge(nn.Module):
    """An interpolation as a network, with a child whose mode can differ."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.upsample = nn.Upsample(scale_factor=4, mode=mode)
        self.dropout = nn.Dropout(0.5)
        self.seen: list[bool] = []

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) to (n, 3, 4h, 4w)."""
        self.seen.append(self.training or torch.is_grad_enabled())
        return self.dropout(self.upsample(lr))


class Bicubic(nn.Module):
    """Plain bicubic interpolation as a network."""

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) to (n, 3, 4h, 4w)."""
        return upscale_bicubic(lr)


def smooth_pairs(*sizes: tuple[int, int]) -> Pairs:
    """Waves of different lengths as HR and what MATLAB's bicubic makes of them as LR."""
    hr = []
    for height, width in sizes:
        rows, columns = torch.meshgrid(torch.arange(4.0 * height), torch.arange(4.0 * width), indexing="ij")
        waves = [(rows / length).sin() + (columns / (length + 2)).cos() for length in (5, 7, 9)]
        hr.append((torch.stack(waves, dim=2) * 60 + 128).to(torch.uint8))
    lr = [torch.from_numpy(degrade(picture.numpy())) for picture in hr]
    return Pairs(tuple(f"wave {index}" for index in range(len(hr))), pack(lr), pack(hr))


def test_bicubic_beats_nearest() -> None:
    pairs = smooth_pairs((16, 20), (24, 16))
    nearest, bicubic = evaluate(Enlarge("nearest"), pairs), bicubic_quality(pairs)
    assert bicubic.psnr > nearest.psnr + 3
    assert bicubic.psnr_y > nearest.psnr_y + 3
    assert bicubic.ssim is not None
    assert nearest.ssim is not None
    assert nearest.ssim < bicubic.ssim <= 1
    assert bicubic.pictures == nearest.pictures == 2


def test_modes_come_back_and_gradients_are_off() -> None:
    network = Enlarge("nearest").train()
    network.upsample.eval()
    evaluate(network, smooth_pairs((16, 16), (16, 18)), with_ssim=False)
    assert (network.training, network.upsample.training, network.dropout.training) == (True, False, True)
    assert network.seen
    assert not any(network.seen)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_modes_come_back_after_an_error() -> None:
    network = nn.Sequential(nn.Dropout(), nn.Conv2d(5, 5, 1)).train()
    with pytest.raises(RuntimeError):
        evaluate(network, smooth_pairs((16, 16)))
    assert all(module.training for module in network.modules())


def test_every_picture_counts_the_same() -> None:
    pairs = smooth_pairs((16, 16), (24, 24))
    network = Enlarge("bilinear").eval()
    each = []
    for index in range(2):
        lr, hr = pairs.pair(index)
        sr = network(lr)
        each.append((psnr(sr, hr), psnr(sr, hr, luma=True), ssim(sr, hr)))
    quality = evaluate(network, pairs)
    means = [sum(values) / 2 for values in zip(*each, strict=True)]
    assert (quality.psnr, quality.psnr_y, quality.ssim) == pytest.approx(tuple(means))
    assert quality.pictures == 2


def test_ssim_is_left_out_where_not_asked() -> None:
    pairs = smooth_pairs((16, 16))
    assert evaluate(Enlarge("nearest"), pairs, with_ssim=False).ssim is None
    assert bicubic_quality(pairs, with_ssim=False).ssim is None


def test_bicubic_quality_is_that_of_bicubic_as_a_network() -> None:
    pairs = smooth_pairs((16, 20), (24, 16))
    assert bicubic_quality(pairs) == evaluate(Bicubic(), pairs)


def test_bicubic_on_set5(shared: Path) -> None:
    quality = bicubic_quality(load_pairs(shared / "data" / "Set5", "val", report=pytest.fail))
    assert quality.pictures == 5
    # Published for MATLAB's bicubic: 28.42 dB on Y; torch's kernel (a = -0.75) comes near it.
    assert quality.psnr_y == pytest.approx(28.4, abs=0.4)
    assert quality.ssim is not None
    assert 0.78 < quality.ssim < 0.83


@pytest.mark.parametrize("scale", [2, 3])
def test_a_border_of_as_many_pixels_as_the_scale_is_left_out(scale: int) -> None:
    flat = torch.full((16, 16, 3), 100, dtype=torch.uint8)
    hr = torch.full((16 * scale, 16 * scale, 3), 200, dtype=torch.uint8)
    hr[scale:-scale, scale:-scale] = 110
    pairs = Pairs(("framed",), pack([flat]), pack([hr]), scale)
    network = nn.Upsample(scale_factor=scale)
    assert evaluate(network, pairs).psnr == pytest.approx(20 * math.log10(255 / 10))
    assert bicubic_quality(pairs).psnr == pytest.approx(20 * math.log10(255 / 10))
    hr[scale, scale] = 200
    wrong = Pairs(("framed",), pack([flat]), pack([hr]), scale)
    assert evaluate(network, wrong).psnr < evaluate(network, pairs).psnr


def test_means_by_hand() -> None:
    both = [Quality(30.0, 32.0, 0.8, 1), Quality(34.0, 33.0, 0.9, 1)]
    assert mean(both) == Quality(32.0, 32.5, pytest.approx(0.85), 2)
    assert mean([both[0], Quality(34.0, 33.0, None, 1)]).ssim is None


def test_no_picture_has_no_mean() -> None:
    with pytest.raises(ValueError, match="at least one picture"):
        mean([])


def test_a_perfect_picture_is_infinitely_good_or_capped() -> None:
    flat = torch.full((16, 16, 3), 77, dtype=torch.uint8)
    pairs = Pairs(("flat",), pack([flat]), pack([flat.repeat(4, 4, 1)]))
    found = evaluate(Enlarge("nearest"), pairs)
    assert found.psnr > 60 or math.isinf(found.psnr)
    assert found.ssim == pytest.approx(1)

"""Evaluation: means by hand, bicubic's own figures, and a training network left as it was."""

import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr.command import BAD_INPUT, DONE, run
from sr.data import load_pairs
from sr.degradation import upscale_bicubic
from sr.evaluate import as_json, main
from sr.export import export_onnx
from sr.images import Picture, write_picture
from sr.metrics import psnr, ssim
from sr.quality import Quality, bicubic_quality, evaluate, mean


class Enlarge(nn.Module):
    """Repeats every pixel 4 x 4 times; remembers in which mode it ran."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.BatchNorm2d(3).eval()
        self.modes: list[tuple[bool, bool]] = []

    def forward(self, lr: Tensor) -> Tensor:
        if not torch.compiler.is_exporting():
            self.modes.append((self.training, torch.is_inference_mode_enabled()))
        return F.interpolate(lr, scale_factor=4, mode="nearest")


class Bicubic(nn.Module):
    """Plain bicubic interpolation as a network."""

    def forward(self, lr: Tensor) -> Tensor:
        return upscale_bicubic(lr)


@pytest.fixture
def folder(tmp_path):
    generator = np.random.default_rng(0)
    for name, (height, width) in {"small": (64, 80), "large": (96, 72), "tiny": (24, 20)}.items():
        coarse = generator.integers(0, 256, (height // 4, width // 4, 3), dtype=np.uint8)
        smooth = F.interpolate(torch.from_numpy(coarse).permute(2, 0, 1)[None].float(), scale_factor=4, mode="bilinear")
        rgb = smooth[0].permute(1, 2, 0).round().numpy().astype(np.uint8)
        write_picture(tmp_path / "pictures" / f"{name}.png", Picture(rgb))
    return tmp_path / "pictures"


@pytest.fixture
def pairs(folder):
    return load_pairs(folder, "val", report=pytest.fail)


def test_quality_is_the_mean_over_pictures(pairs):
    network = Enlarge().eval()
    each = []
    for index in range(len(pairs)):
        lr, hr = pairs.pair(index)
        each.append((psnr(network(lr), hr), psnr(network(lr), hr, luma=True), ssim(network(lr), hr)))
    quality = evaluate(network, pairs, "cpu")
    expected = np.mean(each, axis=0)
    assert (quality.psnr, quality.psnr_y, quality.ssim) == pytest.approx(tuple(expected))
    assert quality.pictures == 3


def test_ssim_may_be_left_out(pairs):
    assert evaluate(Enlarge(), pairs, with_ssim=False).ssim is None
    assert bicubic_quality(pairs, with_ssim=False).ssim is None


def test_bicubic_quality_is_that_of_bicubic_as_a_network(pairs):
    assert bicubic_quality(pairs) == evaluate(Bicubic(), pairs)


def test_a_training_network_runs_in_eval_mode_and_is_left_as_it_was(pairs):
    network = Enlarge()
    network.train()
    network.frozen.eval()
    evaluate(network, pairs, "cpu", with_ssim=False)
    assert network.modes == [(False, True)] * 3
    assert (network.training, network.frozen.training) == (True, False)

    def fail(_module, _given):
        raise RuntimeError("stop")

    network.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="stop"):
        evaluate(network, pairs, "cpu")
    assert (network.training, network.frozen.training) == (True, False)
    assert not torch.is_inference_mode_enabled()


def test_mean_by_hand():
    total = mean([Quality(20.0, 22.0, 0.5, 1), Quality(30.0, 33.0, 0.7, 1)])
    assert total == Quality(25.0, 27.5, pytest.approx(0.6), 2)
    assert mean([Quality(20.0, 22.0, 0.5, 1), Quality(30.0, 33.0, None, 1)]).ssim is None
    with pytest.raises(ValueError, match="at least one picture"):
        mean([])


def test_equal_pictures_are_null_in_json():
    assert as_json(Quality(math.inf, 30.0, None, 1)) == {"psnr": None, "psnr_y": 30.0, "ssim": None, "pictures": 1}


def test_bicubic_on_set5(shared):
    quality = bicubic_quality(load_pairs(shared / "data" / "Set5", "val", report=pytest.fail))
    assert quality.pictures == 5
    # Published for MATLAB's bicubic: 28.42 dB on Y; torch's kernel (a = -0.75) comes near it.
    assert quality.psnr_y == pytest.approx(28.4, abs=0.4)
    assert 0.78 < quality.ssim < 0.83


@pytest.fixture(scope="module")
def enlarge(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "enlarge.onnx"
    export_onnx(Enlarge(), path)
    return path


def test_command_prints_a_table_and_writes_json(enlarge, folder, tmp_path, capsys):
    report = tmp_path / "quality.json"
    argv = [str(enlarge), "--val", str(folder), "--device", "cpu", "--per-picture", "--json", str(report)]
    assert run(main, argv) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["PSNR", "large", "small", "tiny", "network", "bicubic"]
    assert len({len(line) for line in lines}) == 1, "the columns are aligned"
    written = json.loads(report.read_text())
    ours = evaluate(Enlarge(), load_pairs(folder, "val", report=pytest.fail))
    assert written["network"]["psnr"] == pytest.approx(ours.psnr)
    assert written["network"]["pictures"] == 3
    assert set(written["per_picture"]) == {"small", "large", "tiny"}
    assert f"{ours.psnr:.3f}" in lines[-2]


def test_command_names_a_missing_folder(enlarge, tmp_path, capsys):
    assert run(main, [str(enlarge), "--val", str(tmp_path / "nowhere")]) == BAD_INPUT
    assert "nowhere" in capsys.readouterr().err

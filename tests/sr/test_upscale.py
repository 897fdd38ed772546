"""Upscaling: tiles change nothing, nothing of a picture is lost, and broken files do not stop the rest."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sr.checkpoint import Checkpoint, Description, save
from sr.command import BAD_INPUT, DONE, run
from sr.errors import InputError
from sr.export import export_onnx
from sr.images import Picture, read_picture, write_picture
from sr.upscale import SMALLEST_SIDE, load_upscaler, main, spans, upscale, upscale_picture


class Small(nn.Module):
    """A x4 network that sees 3 LR pixels around each and counts its calls and the largest input."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
            nn.Conv2d(8, 48, 3, padding=1), nn.PixelShuffle(4),
        )  # fmt: skip
        self.seen: list[tuple[int, ...]] = []

    def forward(self, lr: Tensor) -> Tensor:
        if not torch.compiler.is_exporting():
            self.seen.append(tuple(lr.shape[2:]))
        return self.layers(lr)


class Enlarge(nn.Module):
    """Repeats every pixel 4 x 4 times."""

    def forward(self, lr: Tensor) -> Tensor:
        return F.interpolate(lr, scale_factor=4, mode="nearest")


@given(st.integers(16, 70), st.integers(16, 70), st.integers(8, 30))
@settings(max_examples=12, deadline=None)
def test_tiles_that_overlap_the_receptive_field_change_nothing(height, width, tile):
    network = Small().eval()
    lr = torch.rand(2, 3, height, width)
    with torch.inference_mode():
        tiled = upscale(network, lr, tile=tile, overlap=3)
        sides = network.seen.copy()
        torch.testing.assert_close(tiled, network(lr), atol=1e-6, rtol=0)
    if height * width > (tile + 6) ** 2:
        assert len(sides) > 1
        assert max(max(side) for side in sides) <= tile + 6
    else:
        assert sides == [(height, width)]


def test_too_small_an_overlap_shows_that_the_tiles_are_real():
    network = Small().eval()
    lr = torch.rand(1, 3, 40, 40)
    with torch.inference_mode():
        difference = (upscale(network, lr, tile=16, overlap=1) - network(lr)).abs()
    assert difference.max() > 1e-4
    assert difference[..., :4, :4].max() < 1e-6, "the picture's own corner is far from the seams"


def test_a_qhd_picture_goes_through_in_tiles_of_bounded_size():
    network = Enlarge()
    seen = []
    network.register_forward_pre_hook(lambda _module, given: seen.append(tuple(given[0].shape[2:])))
    lr = torch.rand(1, 3, 540, 960)
    assert torch.equal(upscale(network, lr), network(lr))
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
        sr = upscale(network, lr)
        assert sr.shape == (1, 3, 4 * height, 4 * width)
        assert network.seen == [(max(height, SMALLEST_SIDE), max(width, SMALLEST_SIDE))]
        assert torch.equal(upscale(Enlarge(), lr), Enlarge()(lr))


def test_a_network_that_is_not_x4_is_named():
    with pytest.raises(InputError, match=r"\(1, 3, 20, 20\) became \(1, 3, 20, 20\)"):
        upscale(nn.Identity(), torch.rand(1, 3, 20, 20))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("with_alpha", [False, True])
def test_depth_and_alpha_are_kept(dtype, with_alpha):
    generator = np.random.default_rng(0)
    rgb = generator.integers(0, np.iinfo(dtype).max, (20, 24, 3), dtype=dtype, endpoint=True)
    alpha = np.zeros((20, 24), dtype) if with_alpha else None
    if alpha is not None:
        alpha[:, 12:] = np.iinfo(dtype).max
    result = upscale_picture(Enlarge(), Picture(rgb, alpha))
    np.testing.assert_array_equal(result.rgb, rgb.repeat(4, 0).repeat(4, 1))
    assert result.rgb.dtype == dtype
    if not with_alpha:
        assert result.alpha is None
        return
    assert result.alpha.dtype == dtype
    assert result.alpha.shape == (80, 96)
    assert (result.alpha[:, :40] == 0).all()
    assert (result.alpha[:, 56:] == np.iinfo(dtype).max).all()


def test_values_outside_the_range_are_clamped():
    class Loud(nn.Module):
        def forward(self, lr: Tensor) -> Tensor:
            return Enlarge()(lr) * 4 - 1

    rgb = np.zeros((16, 16, 3), np.uint8)
    rgb[8:] = 255
    np.testing.assert_array_equal(upscale_picture(Loud(), Picture(rgb)).rgb, rgb.repeat(4, 0).repeat(4, 1))


@pytest.fixture(scope="module")
def onnx_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "enlarge.onnx"
    assert export_onnx(Enlarge(), path) == 0.0
    return path


def random_picture(height, width):
    return Picture(np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_command_upscales_files_and_folders(onnx_path, tmp_path, capsys):
    one, two = random_picture(18, 30), random_picture(5, 7)
    (tmp_path / "folder").mkdir()
    write_picture(tmp_path / "one.png", one)
    write_picture(tmp_path / "folder" / "two.bmp", two)
    out, report = tmp_path / "out", tmp_path / "report.json"
    argv = [str(onnx_path), str(tmp_path / "one.png"), str(tmp_path / "folder"), "--out", str(out), "--device", "cpu"]
    assert run(main, [*argv, "--json", str(report)]) == DONE
    np.testing.assert_array_equal(read_picture(out / "one_x4.png").rgb, one.rgb.repeat(4, 0).repeat(4, 1))
    np.testing.assert_array_equal(read_picture(out / "two_x4.png").rgb, two.rgb.repeat(4, 0).repeat(4, 1))
    written = json.loads(report.read_text())
    assert [entry["result"] for entry in written["upscaled"]] == [str(out / "one_x4.png"), str(out / "two_x4.png")]
    assert written["failed"] == 0
    assert "one_x4.png" in capsys.readouterr().out


def test_command_names_broken_pictures_and_goes_on(onnx_path, tmp_path, capsys):
    write_picture(tmp_path / "good.png", random_picture(16, 16))
    (tmp_path / "broken.png").write_bytes((tmp_path / "good.png").read_bytes()[:100])
    names = ["broken.png", "missing.png", "good.png"]
    argv = [str(onnx_path), *(str(tmp_path / name) for name in names), "--out", str(tmp_path / "out")]
    assert run(main, [*argv, "--device", "cpu"]) == BAD_INPUT
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 3
    assert "broken.png" in errors[0]
    assert "missing.png" in errors[1]
    assert errors[2] == "2 of 3 pictures failed"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good_x4.png"]


def test_command_refuses_results_of_one_name_and_bad_tiles(onnx_path, tmp_path, capsys):
    write_picture(tmp_path / "a.png", random_picture(16, 16))
    write_picture(tmp_path / "a.bmp", random_picture(16, 16))
    base = [str(onnx_path), str(tmp_path / "a.png")]
    assert run(main, [*base, str(tmp_path / "a.bmp"), "--out", str(tmp_path / "out")]) == BAD_INPUT
    assert "would both become" in capsys.readouterr().err
    assert run(main, [*base, "--tile", "3"]) == BAD_INPUT
    assert "--tile must be 0 or at least 16, got 3" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_is_deployed_and_upscales(tmp_path):
    description = Description("baseline", {"name": "rlfn"})
    network = description.build().eval()
    save(tmp_path / "rlfn.pth", Checkpoint(description, network.state_dict()))
    lr = torch.rand(1, 3, 20, 24)
    upscaler = load_upscaler(tmp_path / "rlfn.pth")
    assert not upscaler.training
    with torch.inference_mode():
        torch.testing.assert_close(upscale(upscaler, lr), network(lr), atol=1e-5, rtol=0)


def test_command_says_what_is_no_network(tmp_path, capsys):
    write_picture(tmp_path / "a.png", random_picture(16, 16))
    for name in ("missing.pth", "missing.onnx"):
        argv = [str(tmp_path / name), str(tmp_path / "a.png"), "--out", str(tmp_path)]
        assert run(main, argv) == BAD_INPUT
        errors = capsys.readouterr().err.splitlines()
        assert len(errors) == 1
        assert name in errors[0]
    (tmp_path / "text.pth").write_text("no network")
    with pytest.raises(InputError, match=r"text\.pth is no checkpoint"):
        load_upscaler(tmp_path / "text.pth")

"""Nothing of a picture is lost when it is upscaled, and broken files do not stop the rest."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sr.checkpoint import Checkpoint, Description, save
from sr.config import UpscaleConfig
from sr.data.images import Picture, read_picture, write_picture
from sr.errors import InputError
from sr.exporting import export_onnx
from sr.progress import Event, Message
from sr.tiling import upscale
from sr.upscaling import load_upscaler, upscale_files, upscale_picture

pytestmark = pytest.mark.numeric


# Repeats every pixel 4 x 4 times.
ENLARGE = nn.Upsample(scale_factor=4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("with_alpha", [False, True])
def test_depth_and_alpha_are_kept(dtype, with_alpha):
    generator = np.random.default_rng(0)
    rgb = generator.integers(0, np.iinfo(dtype).max, (20, 24, 3), dtype=dtype, endpoint=True)
    alpha = np.zeros((20, 24), dtype) if with_alpha else None
    if alpha is not None:
        alpha[:, 12:] = np.iinfo(dtype).max
    result = upscale_picture(ENLARGE, Picture(rgb, alpha))
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
            return ENLARGE(lr) * 4 - 1

    rgb = np.zeros((16, 16, 3), np.uint8)
    rgb[8:] = 255
    np.testing.assert_array_equal(upscale_picture(Loud(), Picture(rgb)).rgb, rgb.repeat(4, 0).repeat(4, 1))


def test_a_checkpoint_is_deployed_and_upscales(tmp_path):
    description = Description("baseline", {"name": "rlfn"})
    network = description.build().double().eval()
    save(tmp_path / "rlfn.pth", Checkpoint(description, network.state_dict()))
    lr = torch.rand(1, 3, 20, 24, dtype=torch.float64)
    upscaler = load_upscaler(str(tmp_path / "rlfn.pth"))
    assert not upscaler.training
    with torch.inference_mode():
        torch.testing.assert_close(upscale(upscaler.double(), lr, tile=None), network(lr), atol=1e-9, rtol=0)


@pytest.fixture(scope="module")
def onnx_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "enlarge.onnx"
    assert export_onnx(ENLARGE, path) == 0.0
    return path


def test_files_that_are_upscaled_and_files_that_failed_are_told_apart(onnx_path: Path, tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (18, 30, 3), dtype=np.uint8)
    (tmp_path / "folder").mkdir()
    write_picture(tmp_path / "folder" / "good.bmp", Picture(rgb))
    (tmp_path / "folder" / "later.png").write_bytes(b"no picture")
    events: list[Event] = []
    config = UpscaleConfig(onnx_path, (tmp_path / "none.png", tmp_path / "folder"), tmp_path / "out", "cpu")
    result = upscale_files(config, report=events.append)
    (good,) = result.upscaled
    assert (good.picture, good.result) == (tmp_path / "folder" / "good.bmp", tmp_path / "out" / "good_x4.png")
    assert good.seconds > 0
    np.testing.assert_array_equal(read_picture(good.result).rgb, rgb.repeat(4, 0).repeat(4, 1))
    assert result.failed == (tmp_path / "none.png", tmp_path / "folder" / "later.png")
    assert [isinstance(event, Message) and event.aside for event in events] == [True, False, True]


def test_what_is_no_network_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("no network")
    with pytest.raises(InputError, match=r"text\.pth is no checkpoint"):
        load_upscaler(tmp_path / "text.pth")

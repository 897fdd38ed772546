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
from sr.upscaling import load_upscaler, place_line, target_of_file, upscale_files, upscale_picture

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
    network = description.build().eval()
    save(tmp_path / "rlfn.pth", Checkpoint(description, network.state_dict()))
    lr = torch.rand(1, 3, 20, 24)
    upscaler = load_upscaler(str(tmp_path / "rlfn.pth"))
    assert upscaler.precision == "float32"
    with torch.inference_mode():
        # Another order of sums, in float32: through its layers well under a thousandth.
        torch.testing.assert_close(upscale(upscaler, lr, tile=None), network(lr), atol=1e-4, rtol=0)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_checkpoint_is_exported_for_another_engine_and_runs_in_tiles(engine: str, tmp_path: Path) -> None:
    description = Description("baseline", {"name": "ecbsr", "num_feat": 4, "num_block": 1})
    path = tmp_path / "ecbsr.pth"
    save(path, Checkpoint(description, description.build().state_dict()))
    try:
        target = target_of_file(path, "cpu", engine)
    except InputError as error:
        pytest.skip(str(error))
    lr = torch.rand(1, 3, 40, 56)
    whole = upscale(load_upscaler(path), lr, tile=None)
    torch.testing.assert_close(upscale(load_upscaler(path, target), lr, tile=16, overlap=8), whole, atol=1e-4, rtol=0)


def test_a_checkpoint_runs_in_the_dtype_asked_for(tmp_path: Path) -> None:
    description = Description("baseline", {"name": "ecbsr", "num_feat": 4, "num_block": 1})
    path = tmp_path / "ecbsr.pth"
    save(path, Checkpoint(description, description.build().state_dict()))
    target = target_of_file(path, "cpu", dtype="bfloat16")
    upscaler = load_upscaler(path, target)
    assert upscaler.precision == "bfloat16"
    assert upscaler(torch.rand(1, 3, 16, 16)).dtype == torch.float32
    assert place_line(path, target, upscaler) == f"{path} in torch on cpu, bfloat16"


def test_a_file_of_one_size_says_so_of_another(tmp_path: Path) -> None:
    path = tmp_path / "fixed.onnx"
    export_onnx(ENLARGE, path, lr_size=(16, 24))
    upscaler = load_upscaler(path)
    assert upscaler(torch.rand(1, 3, 16, 24)).shape == (1, 3, 64, 96)
    with pytest.raises(InputError, match=r"does not run a picture of 20x18; .*export it with --lr-size free") as caught:
        upscaler(torch.rand(1, 3, 18, 20))
    assert "\n" not in str(caught.value)


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
    assert [isinstance(event, Message) and event.aside for event in events] == [False, True, False, True]
    assert (result.engine, result.precision) == ("onnxruntime", "float32")


def test_what_is_no_network_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("no network")
    with pytest.raises(InputError, match=r"text\.pth is no checkpoint"):
        load_upscaler(tmp_path / "text.pth")

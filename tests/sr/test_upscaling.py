"""Nothing of a picture is lost when it is upscaled, and bad files do not stop the rest."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, ImageCms
from torch import Tensor, nn

from sr.checkpoint import Checkpoint, Description, save
from sr.config import UpscaleConfig
from sr.errors import InputError
from sr.exporting import export_onnx
from sr.lr_size import LrSize
from sr.measure.engines.registry import file_engine_of
from sr.pictures.enlarging import Tiles
from sr.progress import Event, Message, Step
from sr.tiling import upscale
from sr.upscaling import Upscaler, load_upscaler, place_line, target_of_file, tiles_of, upscale_files

# Repeats every pixel 4 x 4 times.
ENLARGE = nn.Upsample(scale_factor=4)


@pytest.mark.numeric
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
    assert place_line(path, target, upscaler) == f"{path}, x4, in torch on cpu, bfloat16"


@pytest.mark.parametrize(("engine", "suffix"), [("onnxruntime", ".onnx"), ("openvino", ".xml")])
def test_a_file_of_one_size_runs_pictures_of_others(engine: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"fixed{suffix}"
    try:
        target = replace(target_of_file(path, "cpu", engine), lr_size=(16, 24))
    except InputError as error:
        pytest.skip(str(error))
    file_engine_of(target).write(ENLARGE, target, path)
    upscaler = load_upscaler(path)
    assert upscaler.lr_size == (16, 24)
    for height, width in ((16, 24), (5, 7), (40, 70), (16, 60)):
        lr = torch.rand(1, 3, height, width)
        torch.testing.assert_close(upscale(upscaler, lr, tile=None), ENLARGE(lr))
    assert tiles_of(upscaler, 256) == Tiles((8, 16), 4, (16, 24))
    assert tiles_of(upscaler, 0) == tiles_of(upscaler, 256)


class Picky(nn.Module):
    """Takes sides that are multiples of 8 alone, as windows do, and says it as an engine does."""

    def __init__(self, says: Exception) -> None:
        super().__init__()
        self.says, self.precision, self.calls = says, "float32", 0

    def forward(self, lr: Tensor) -> Tensor:
        self.calls += 1
        if lr.shape[2] % 8 or lr.shape[3] % 8:
            raise self.says
        return ENLARGE(lr)


@pytest.mark.parametrize("says", [InputError("cannot reshape"), RuntimeError("cannot reshape")])
def test_sides_that_must_be_multiples_are_found_out_once(says: Exception) -> None:
    network = Picky(says)
    upscaler = Upscaler(Path("picky.onnx"), network)
    lr = torch.rand(1, 3, 17, 23)
    assert torch.equal(upscaler(lr), ENLARGE(lr))
    network.calls = 0
    assert torch.equal(upscaler(lr), ENLARGE(lr))
    assert network.calls == 1


def test_a_size_that_never_runs_is_one_line() -> None:
    class Never(Picky):
        def forward(self, _lr: Tensor) -> Tensor:
            raise self.says

    with pytest.raises(InputError, match=r"never\.onnx does not run a picture of 23x17; .*: no\s?such size") as caught:
        Upscaler(Path("never.onnx"), Never(RuntimeError("no\nsuch size")))(torch.rand(1, 3, 17, 23))
    assert "\n" not in str(caught.value)


def test_a_network_of_another_scale_is_named() -> None:
    class Twice(Picky):
        def forward(self, lr: Tensor) -> Tensor:
            return nn.functional.interpolate(lr, scale_factor=2)

    with pytest.raises(InputError, match="use a x4 network"):
        Upscaler(Path("twice.onnx"), Twice(RuntimeError()))(torch.rand(1, 3, 16, 16))


@pytest.mark.parametrize(("engine", "suffix"), [("onnxruntime", ".onnx"), ("openvino", ".xml")])
@pytest.mark.parametrize(("scale", "lr_size"), [(2, None), (3, (16, 24))])
def test_the_scale_of_a_file_without_a_description_is_found(
    engine: str, suffix: str, scale: int, lr_size: LrSize | None, tmp_path: Path
) -> None:
    path, network = tmp_path / f"net{suffix}", nn.Upsample(scale_factor=scale)
    try:
        target = target_of_file(path, "cpu", engine)
    except InputError as error:
        pytest.skip(str(error))
    target = target if lr_size is None else replace(target, lr_size=lr_size)
    file_engine_of(target).write(network, target, path, free_size=lr_size is None)
    upscaler = load_upscaler(path)
    assert upscaler.scale == scale
    lr = torch.rand(1, 3, 40, 30)
    torch.testing.assert_close(upscaler(lr), network(lr))
    assert place_line(path, target, upscaler).startswith(f"{path}, x{scale}, in {engine}")


def test_a_file_of_a_scale_that_there_is_not_is_named(tmp_path: Path) -> None:
    export_onnx(nn.Upsample(scale_factor=5), tmp_path / "five.onnx")
    with pytest.raises(InputError, match=r"five\.onnx: .*s one of 2, 3, 4, but \(1, 3, 64, 128\) became"):
        load_upscaler(tmp_path / "five.onnx")


@pytest.mark.parametrize("scale", [2, 3])
def test_pictures_become_as_large_as_the_network_makes_them_and_their_names_say_so(scale: int, tmp_path: Path) -> None:
    export_onnx(nn.Upsample(scale_factor=scale), tmp_path / "net.onnx")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.ExifImageWidth: 30, ExifTags.Base.ExifImageHeight: 40}
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    result = upscale_files(UpscaleConfig(tmp_path / "net.onnx", (tmp_path / "a.png",), tmp_path, "cpu", tile=16))
    assert result.scale == scale
    with Image.open(tmp_path / f"a_x{scale}.png") as image:
        assert np.array_equal(np.asarray(image), pixels.repeat(scale, 0).repeat(scale, 1))
        assert image.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageWidth] == 30 * scale


def test_memory_that_an_engine_lacks_is_a_memory_error() -> None:
    class Full(Picky):
        def forward(self, _lr: Tensor) -> Tensor:
            raise self.says

    with pytest.raises(MemoryError, match="DefaultCPUAllocator"):
        Upscaler(Path("a.pth"), Full(RuntimeError("DefaultCPUAllocator: not enough memory")))(torch.rand(1, 3, 16, 16))


@pytest.fixture(scope="module")
def onnx_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "enlarge.onnx"
    assert export_onnx(ENLARGE, path) == 0.0
    return path


def config(onnx_path: Path, tmp_path: Path, *names: str, **options: object) -> UpscaleConfig:
    pictures = tuple(tmp_path / name for name in names)
    return UpscaleConfig(onnx_path, pictures, tmp_path / "out", "cpu", **options)  # type: ignore[arg-type]


def said(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Message)]


def test_files_that_are_upscaled_and_files_that_failed_are_told_apart(onnx_path: Path, tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (18, 30, 3), dtype=np.uint8)
    (tmp_path / "folder").mkdir()
    (tmp_path / "nothing").mkdir()
    Image.fromarray(rgb).save(tmp_path / "folder" / "good.bmp")
    (tmp_path / "folder" / "later.png").write_bytes(b"no picture")
    (tmp_path / "folder" / "notes.txt").write_bytes(b"")
    events: list[Event] = []
    result = upscale_files(config(onnx_path, tmp_path, "none.png", "folder", "nothing"), report=events.append)
    (good,) = result.upscaled
    assert (good.picture, good.result) == (tmp_path / "folder" / "good.bmp", tmp_path / "out" / "good_x4.png")
    assert good.seconds > 0
    assert np.array_equal(np.asarray(Image.open(good.result)), rgb.repeat(4, 0).repeat(4, 1))
    names = ["nothing", "none.png", "later.png"]
    assert [each.picture.name for each in result.failed] == names
    assert [name in each.reason for each, name in zip(result.failed, names, strict=True)] == [True] * 3
    assert (result.total, result.left_out) == (4, {"of kind .txt": 1})
    asides = [event.aside for event in events if isinstance(event, Message)]
    assert asides == [False, True, True, True, False, True]
    steps = [event for event in events if isinstance(event, Step)]
    assert [(step.done, step.total, step.unit) for step in steps] == [(n, 3, "picture") for n in (1, 2, 3, 3)]
    assert steps[-1].ended
    assert (result.engine, result.precision) == ("onnxruntime", "float32")


def test_a_large_picture_tells_how_far_it_is(onnx_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    height, width = 640, 20
    monkeypatch.setattr("sr.upscaling._LARGE", height * width - 1)
    Image.new("RGB", (width, height)).save(tmp_path / "large.png")
    Image.new("RGB", (width, height - 1)).save(tmp_path / "small.png")
    events: list[Event] = []
    upscale_files(config(onnx_path, tmp_path, "large.png", "small.png", tile=16), report=events.append)
    steps = [event for event in events if isinstance(event, Step)]
    within = [event for event in steps if event.label != "upscaling"]
    assert {step.label for step in within} == {"upscaling large.png"}
    assert [(step.done, step.total, step.unit) for step in within] == [
        (4 * rows, 4 * height, "row") for rows in (*range(16, height + 1, 16), height)
    ]
    assert [step.ended for step in within] == [False] * (height // 16) + [True]


def test_an_animation_is_upscaled_frame_by_frame_in_its_format(onnx_path: Path, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (12, 10), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=80, loop=0)
    upscale_files(config(onnx_path, tmp_path, "a.gif"))
    for format_, suffix in ((None, ".gif"), ("png", ".png"), ("webp", ".webp"), ("tiff", ".tif")):
        if format_:
            upscale_files(config(onnx_path, tmp_path, "a.gif", format=format_))
        with Image.open(tmp_path / "out" / f"a_x4{suffix}") as image:
            assert (image.n_frames, image.size) == (3, (48, 40))
            image.seek(2)
            assert image.convert("RGB").getpixel((9, 9)) == (0, 0, 255)
    failed = upscale_files(config(onnx_path, tmp_path, "a.gif", format="jpg")).failed
    assert "a.gif: .jpg cannot hold its 3 frames; write png, webp or tiff" in failed[0].reason


def test_pages_are_upscaled_page_by_page(onnx_path: Path, tmp_path: Path) -> None:
    pages = [Image.new("L", (12, 10), 50), Image.new("RGB", (7, 20), "red")]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert len(upscale_files(config(onnx_path, tmp_path, "a.tif")).upscaled) == 1
    with Image.open(tmp_path / "out" / "a_x4.tif") as image:
        assert (image.n_frames, image.size, image.mode) == (2, (48, 40), "L")
        image.seek(1)
        assert (image.size, image.mode) == ((28, 80), "RGB")


def test_what_a_picture_carries_arrives(onnx_path: Path, tmp_path: Path) -> None:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[271], exif[274] = "Maker", 6
    Image.new("RGB", (12, 10)).save(tmp_path / "a.jpg", icc_profile=icc, exif=exif, dpi=(300, 300))
    for format_, suffix in (("png", ".png"), ("jpg", ".jpg"), ("webp", ".webp"), ("tiff", ".tif")):
        upscale_files(config(onnx_path, tmp_path, "a.jpg", format=format_))
        with Image.open(tmp_path / "out" / f"a_x4{suffix}") as image:
            assert (image.size, image.info["icc_profile"]) == ((40, 48), icc)
            assert (image.getexif()[271], image.getexif().get(274, 1)) == ("Maker", 1)
    upscale_files(config(onnx_path, tmp_path, "a.jpg", to_srgb=True))
    with Image.open(tmp_path / "out" / "a_x4.png") as image:
        assert "icc_profile" not in image.info


@pytest.mark.parametrize(("mode", "written"), [("1", "L"), ("L", "L"), ("LA", "LA"), ("I;16", "I;16")])
def test_grey_in_is_grey_out(mode: str, written: str, onnx_path: Path, tmp_path: Path) -> None:
    Image.new(mode, (12, 10)).save(tmp_path / "a.png")
    upscale_files(config(onnx_path, tmp_path, "a.png"))
    with Image.open(tmp_path / "out" / "a_x4.png") as image:
        assert image.mode == written


def test_what_a_format_cannot_keep_is_said(onnx_path: Path, tmp_path: Path) -> None:
    Image.new("RGB", (12, 10)).save(tmp_path / "a.png", dpi=(300, 300))
    events: list[Event] = []
    upscale_files(config(onnx_path, tmp_path, "a.png", format="webp"), report=events.append)
    assert any("a.png: its resolution cannot be kept in .webp" in line for line in said(events))
    Image.new("I;16", (12, 10)).save(tmp_path / "deep.png")
    (failed,) = upscale_files(config(onnx_path, tmp_path, "deep.png", format="jpg")).failed
    assert failed.reason.endswith("deep.png: .jpg cannot hold 16 bit; write png or tiff")


def test_what_is_there_is_skipped_where_that_is_asked_for(onnx_path: Path, tmp_path: Path) -> None:
    Image.new("RGB", (12, 10)).save(tmp_path / "a.png")
    first = upscale_files(config(onnx_path, tmp_path, "a.png", skip_existing=True))
    again = upscale_files(config(onnx_path, tmp_path, "a.png", skip_existing=True))
    assert (len(first.upscaled), first.skipped) == (1, ())
    assert (again.upscaled, again.skipped, again.total) == ((), (tmp_path / "a.png",), 1)


def test_a_result_never_takes_the_place_of_a_picture(onnx_path: Path, tmp_path: Path) -> None:
    for name in ("a.png", "a_x4.png"):
        Image.new("RGB", (12, 10)).save(tmp_path / name)
    before = (tmp_path / "a_x4.png").read_bytes()
    pictures = (tmp_path / "a.png", tmp_path / "a_x4.png")
    result = upscale_files(UpscaleConfig(onnx_path, pictures, tmp_path, "cpu"))
    assert [each.picture.name for each in result.failed] == ["a.png"]
    assert "is itself one of the pictures" in result.failed[0].reason
    assert (tmp_path / "a_x4.png").read_bytes() == before
    assert (tmp_path / "a_x4_x4.png").is_file()


def test_names_and_places_of_every_kind_are_one_line_or_a_picture(onnx_path: Path, tmp_path: Path) -> None:
    names = ["two\nlines.png", os.fsdecode(b"\xff.png"), "  .png", "-rf.png", "%s{}.png", "é" * 40 + ".png"]
    for name in names:
        Image.new("L", (12, 10)).save(tmp_path / name)
    bad = ["no\0name.png", "x" * 300 + ".png"]
    events: list[Event] = []
    result = upscale_files(config(onnx_path, tmp_path, *names, *bad), report=events.append)
    assert (len(result.upscaled), len(result.failed)) == (len(names), len(bad))
    for line in said(events):
        assert "\n" not in line
        line.encode("utf-8")


def test_a_result_that_cannot_be_written_is_one_line_and_the_rest_goes_on(onnx_path: Path, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.new("L", (12, 10)).save(tmp_path / name)
    (tmp_path / "out" / "a_x4.png").mkdir(parents=True)
    result = upscale_files(config(onnx_path, tmp_path, "a.png", "b.png"))
    assert [each.picture.name for each in result.upscaled] == ["b.png"]
    assert "cannot write" in result.failed[0].reason


def test_no_picture_at_all_is_an_input_error(onnx_path: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no pictures in it"):
        upscale_files(config(onnx_path, tmp_path, "empty"))
    assert not (tmp_path / "out").exists()


def test_what_is_no_network_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("no network")
    with pytest.raises(InputError, match=r"text\.pth is no checkpoint"):
        load_upscaler(tmp_path / "text.pth")

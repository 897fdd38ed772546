"""Contents of files as people have them, whole: pictures of every kind, ONNX, checkpoints, the folder of a search."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tifffile
import torch
from onnx import TensorProto, helper
from PIL import Image, ImageCms

from baselines import build_family
from nas.optuna_backend.study import OptunaStudy
from nas.report.tables import write_tables
from nas.trial import Trial
from search_spaces import SPACES
from search_spaces.network import build
from sr.checkpoint import Checkpoint, Description, save
from sr.deployment import deploy
from sr.measure.complexity import count
from sr.measure.latency import Runtime
from sr.measure.measurement import Measurement
from sr.measure.quality import Quality
from sr.measure.target import Conditions
from sr.pictures.picture import Frame, FrameRows, Metadata
from sr.pictures.png import write_png
from sr.scale import DEFAULT_SCALE
from sr.tensors import read_tensors

# Bytes of a pixel in each of Pillow's modes; of 1 a byte holds eight.
MODES = {"1": 0, "L": 1, "LA": 2, "P": 1, "PA": 2, "RGB": 3, "RGBA": 4, "RGBX": 4, "CMYK": 4, "YCbCr": 3, "LAB": 3,
         "HSV": 3, "I": 4, "I;16": 2, "F": 4}  # fmt: skip
SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "TIFF": ".tif", "GIF": ".gif", "BMP": ".bmp",
            "PPM": ".ppm", "TGA": ".tga", "AVIF": ".avif"}  # fmt: skip
_SMALL = {"name": "espcn", "num_feat": 8, "mid_feat": 8}


@dataclass(frozen=True)
class Look:
    """What a picture is of."""

    mode: str
    width: int
    height: int
    seed: int = 0
    frames: int = 1


def picture(look: Look, kind: str, options: Mapping[str, Any]) -> bytes:
    """Return a picture in a format by Pillow's name; as RGB or as a plain PNG where that format refuses it."""
    first, *rest = (_image(look, look.seed + index) for index in range(look.frames))
    several = {"save_all": True, "append_images": rest} if rest else {}
    for image, name, others in ((first, kind, {**options, **several}), (first, kind, {})):
        if (content := _saved(image, name, others)) is not None:
            return content
    plain = _saved(_image(Look("RGB", look.width, look.height), look.seed), "PNG", {})
    assert plain is not None
    return plain


def _saved(image: Image.Image, kind: str, options: Mapping[str, Any]) -> bytes | None:
    buffer = io.BytesIO()
    try:
        image.save(buffer, kind, **options)
    except Exception:  # noqa: BLE001 - Pillow raises a dozen types where a format does not hold what is drawn for it
        return None
    return buffer.getvalue()


def _image(look: Look, seed: int) -> Image.Image:
    row = (look.width + 7) // 8 if look.mode == "1" else look.width * MODES[look.mode]
    image = Image.frombytes(look.mode, (look.width, look.height), np.random.default_rng(seed).bytes(row * look.height))
    if look.mode in ("P", "PA"):
        image.putpalette(np.random.default_rng(seed + 1).bytes(768))
    return image


def deep_png(look: Look, channels: int) -> bytes:
    """Return a PNG of 16 bits."""
    pixels = _values(look, channels, np.uint16)
    buffer = io.BytesIO()
    frame = Frame(pixels)
    write_png(buffer, FrameRows(frame.layout, [pixels]), Metadata())
    return buffer.getvalue()


def tiff(look: Look, channels: int, dtype: str, **options: Any) -> bytes:  # noqa: ANN401 - tifffile's
    """Return a TIFF as microscopes and renderers write them: any depth, big-endian, planes apart, several pages."""
    pixels = _values(look, channels, np.dtype(dtype))
    if options.get("planarconfig") == "separate":
        pixels = pixels.transpose(2, 0, 1)
    buffer = io.BytesIO()
    try:
        with tifffile.TiffWriter(buffer, byteorder=options.pop("byteorder", "<")) as file:
            for _ in range(look.frames):
                file.write(pixels, photometric="rgb" if channels >= 3 else "minisblack", **options)
    except ValueError:
        # Sides of 1 are no sides to it.
        return picture(look, "TIFF", {})
    return buffer.getvalue()


def _values(look: Look, channels: int, dtype: Any) -> Any:  # noqa: ANN401 - numpy's
    raw = np.random.default_rng(look.seed).bytes(look.height * look.width * channels * np.dtype(dtype).itemsize)
    return np.frombuffer(raw, dtype).reshape(look.height, look.width, channels)


def srgb_profile() -> bytes:
    """Return an ICC profile."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(orientation: object) -> bytes:
    """Return EXIF with an orientation, which may be none."""
    made = Image.Exif()
    made[0x0112] = orientation
    made[0x010E] = "a picture"
    return made.tobytes()


def onnx_file(
    operator: str = "Resize",
    *,
    scale: float = DEFAULT_SCALE,
    sides: Sequence[object] = ("n", 3, "h", "w"),
    dtype: int = TensorProto.FLOAT,
    opset: int = 17,
    inputs: int = 1,
    outputs: int = 1,
    domain: str = "",
) -> bytes:
    """Return a network of one operator that repeats every pixel, or does not, where the arguments are others."""
    scales = helper.make_tensor("scales", TensorProto.FLOAT, [4], [1.0, 1.0, scale, scale])
    operands = ["lr0", "", "scales"] if operator == "Resize" else ["lr0"]
    node = helper.make_node(operator, operands, ["sr0"], domain=domain)
    given = [helper.make_tensor_value_info(f"lr{index}", dtype, list(sides)) for index in range(inputs)]
    made = [helper.make_tensor_value_info(f"sr{index}", dtype, None) for index in range(outputs)]
    graph = helper.make_graph([node], "graph", given, made, [scales])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    content: bytes = onnx.ModelProto.SerializeToString(model)
    return content


def checkpoints(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what checkpoints of a small network hold: trained, deployed, of a search."""
    searched = SPACES["msrresnet"].seeds[0]
    torch.manual_seed(0)
    forms = {
        "baseline": (Description("baseline", _SMALL), build_family(_SMALL), False),
        "deployed": (Description("baseline", _SMALL), deploy(build_family(_SMALL)), True),
        "searched": (Description("searched", searched.to_json()), build(searched), False),
    }
    contents = {}
    for name, (description, network, deployed) in forms.items():
        path = folder / f"{name}.pth"
        save(path, Checkpoint(description, network.state_dict(), deployed=deployed))
        contents[name] = read_tensors(path)
    return contents


def searched(folder: Path) -> dict[str, bytes]:
    """Return the files of a search's folder, of four trials and a chosen network."""
    space, journal = SPACES["msrresnet"], folder / "study.journal"
    study = OptunaStudy(space, "search", str(journal), 100.0)
    place = Conditions("device", "driver", "versions", 2, (64, 64), "float32")
    settings = {
        "space": "msrresnet", "budget_ms": 100.0, "conditions": asdict(place), "recipe": {"seed": 0}, "phase": "search",
        "pictures": {"train": {"count": 4, "fingerprint": "a"}, "val": {"count": 2, "fingerprint": "b"}},
        "fidelity": "rungs", "sampler": "mixed",
    }  # fmt: skip
    study.remember(settings)
    study.enqueue(space.seeds[:4])
    measured = []
    for index in range(4):
        number, architecture = study.ask(lambda _number, _trials: space.encode(space.seeds[0]))
        runtime = Runtime(10.0 + index, 9.0, 12.0 + index, 20, reliable=True, memory_format="contiguous")
        quality = Quality(25.0 + index, 26.0, None, 2)
        measured.append(Measurement(count(build(architecture), (64, 64)), runtime, place, 5.0, quality))
        study.tell(Trial(number, architecture, "trained", measured[-1], seconds=1.0))
    study.remember({"phase": "done", "chosen": 0})
    study.leave()
    write_tables(folder, study.trials)
    chosen = measured[0].to_json() | {
        "bicubic": asdict(Quality(24.0, 25.0, None, 2)), "engines": {"torch": asdict(measured[0].runtime)},
    }  # fmt: skip
    ending = {"chosen": 0, "rivals": {"rfdn": measured[1].to_json()}, "rival_quality": {}, "was_calm": True,
              "ended": "2026-01-02T00:00:00+00:00"}  # fmt: skip
    texts = {"chosen/measurement.json": chosen, "chosen/architecture.json": study.trials[0].architecture.to_json(),
             "ending.json": ending}  # fmt: skip
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".journal", ".csv")}
    return files | {name: json.dumps(value).encode() for name, value in texts.items()} | {"command.txt": b"search\n"}

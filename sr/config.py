"""What the commands of `sr` are told to do: values that are checked and never change."""

from dataclasses import dataclass
from pathlib import Path

from sr.constraints import AUTO, DTYPE_NAMES, at_least, one_of
from sr.errors import InputError
from sr.file_engines import file_engine
from sr.lr_size import SMALLEST_SIDE
from sr.scale import DEFAULT_SCALE, check_scale

DIV2K_URL = "http://data.vision.ee.ethz.ch/cvl/DIV2K/"
DIV2K_PARTS = ("train", "valid")
# What upscaled pictures are written in, and those of them that may lose something.
PICTURE_FORMATS = ("png", "jpg", "webp", "tiff")
QUALITY_FORMATS = ("jpg", "webp")
# What a network of a file runs in: for 8 bits the file itself has to be quantised.
FLOAT_DTYPES = tuple(name for name in DTYPE_NAMES if name != "int8")


@dataclass(frozen=True)
class UpscaleConfig:
    """Which pictures to upscale by which network.

    Attributes:
        network: A checkpoint of ours, or a network in ONNX, OpenVINO's IR (.xml) or TensorRT's plan.
        pictures: Pictures, and folders that hold some.
        out: The folder for the results.
        device: auto, cpu, cuda or cuda:N.
        tile: The side of a tile in LR pixels, 0 for none.
        engine: auto, or what runs the network; see `sr.file_engines.file_engine`.
        dtype: One of FLOAT_DTYPES.
        format: One of PICTURE_FORMATS; None for PNG, and for animations and pages the format that they come in.
        quality_level: Of JPEG and WebP, 1 to 100; None for 95 in JPEG and no loss in WebP.
        max_pixels: The most pixels that a picture may have; None for what Pillow takes.
        recursive: Whether the folders inside folders are gone through too.
        skip_existing: Whether pictures whose result is there already are left alone.
        to_srgb: Whether pictures with a colour profile are converted to sRGB; else they keep it.

    Raises:
        InputError: For a tile that is neither 0 nor at least SMALLEST_SIDE, an unknown dtype or format, an engine that
            does not run such a file, a quality level outside its range or of a format that has none, or a number of
            pixels under 1.
    """

    network: Path
    pictures: tuple[Path, ...]
    out: Path = Path("upscaled")
    device: str = "auto"
    tile: int = 256
    engine: str = AUTO
    dtype: str = "float32"
    format: str | None = None
    quality_level: int | None = None
    max_pixels: int | None = None
    recursive: bool = False
    skip_existing: bool = False
    to_srgb: bool = False

    def __post_init__(self) -> None:
        file_engine(self.network, self.engine)
        one_of(self, "dtype", FLOAT_DTYPES)
        if self.tile != 0 and self.tile < SMALLEST_SIDE:
            raise InputError(f"--tile must be 0 or at least {SMALLEST_SIDE}, got {self.tile}")
        if self.format is not None:
            one_of(self, "format", PICTURE_FORMATS)
        at_least(1, self, "max_pixels")
        if self.quality_level is None:
            return
        if not 1 <= self.quality_level <= 100:
            raise InputError(f"--quality-level must be 1 to 100, got {self.quality_level}")
        if self.format not in QUALITY_FORMATS:
            raise InputError(
                f"--quality-level is of {' and '.join(QUALITY_FORMATS)}, got {self.quality_level} with --format "
                f"{self.format or 'left out'}; name one of them, or leave it out"
            )


@dataclass(frozen=True)
class EvaluateConfig:
    """Which network to evaluate on which pictures.

    Attributes:
        network: A checkpoint of ours, or a network in ONNX, OpenVINO's IR (.xml) or TensorRT's plan.
        val: A folder as `sr.data.sources.load_pairs` takes it; None for the photographs inside scikit-image.
        device: auto, cpu, cuda or cuda:N.
        engine: auto, or what runs the network; see `sr.file_engines.file_engine`.
        dtype: One of FLOAT_DTYPES.

    Raises:
        InputError: For an unknown dtype, or an engine that does not run such a file.
    """

    network: Path
    val: Path | None = None
    device: str = "auto"
    engine: str = AUTO
    dtype: str = "float32"

    def __post_init__(self) -> None:
        file_engine(self.network, self.engine)
        one_of(self, "dtype", FLOAT_DTYPES)


@dataclass(frozen=True)
class FetchConfig:
    """Which parts of DIV2K to bring where.

    Attributes:
        folder: Where the folders of its pictures are to lie.
        parts: Of DIV2K_PARTS.
        url: Where its archives are, http or https.
        checksums: A file of lines with a sha256 or md5 and the name of an archive; None for none.
        scale: Of the LR pictures to bring.

    Raises:
        InputError: For an unknown part or scale, or another kind of URL.
    """

    folder: Path
    parts: tuple[str, ...] = DIV2K_PARTS
    url: str = DIV2K_URL
    checksums: Path | None = None
    scale: int = DEFAULT_SCALE

    def __post_init__(self) -> None:
        check_scale(self.scale)
        if not self.parts or not set(self.parts) <= set(DIV2K_PARTS):
            given = ",".join(self.parts)
            raise InputError(f"--parts must be {', '.join(DIV2K_PARTS)} or both with a comma between, got {given!r}")
        if not self.url.startswith(("http://", "https://")):
            raise InputError(f"--url must start with http:// or https://, got {self.url!r}")

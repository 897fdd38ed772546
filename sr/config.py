"""What the commands of `sr` are told to do: values that are checked and never change."""

from dataclasses import dataclass
from pathlib import Path

from sr.errors import InputError
from sr.lr_size import SMALLEST_SIDE

DIV2K_URL = "http://data.vision.ee.ethz.ch/cvl/DIV2K/"
DIV2K_PARTS = ("train", "valid")
EXPORT_FORMATS = ("onnx", "pt2", "safetensors")


@dataclass(frozen=True)
class UpscaleConfig:
    """Which pictures to upscale by which network.

    Attributes:
        network: A checkpoint of ours or an ONNX network.
        pictures: Pictures, and folders that directly hold some.
        out: The folder for the results.
        device: auto, cpu, cuda or cuda:N.
        tile: The side of a tile in LR pixels, 0 for none.

    Raises:
        InputError: For a tile that is neither 0 nor at least SMALLEST_SIDE.
    """

    network: Path
    pictures: tuple[Path, ...]
    out: Path = Path("upscaled")
    device: str = "auto"
    tile: int = 256

    def __post_init__(self) -> None:
        if self.tile != 0 and self.tile < SMALLEST_SIDE:
            raise InputError(f"--tile must be 0 or at least {SMALLEST_SIDE}, got {self.tile}")


@dataclass(frozen=True)
class EvaluateConfig:
    """Which network to evaluate on which pictures.

    Attributes:
        network: A checkpoint of ours or an ONNX network.
        val: A folder as `sr.data.sources.load_pairs` takes it; None for the photographs inside scikit-image.
        device: auto, cpu, cuda or cuda:N.
    """

    network: Path
    val: Path | None = None
    device: str = "auto"


@dataclass(frozen=True)
class ExportConfig:
    """Which network to write in which formats.

    Attributes:
        network: A checkpoint of ours.
        formats: Of EXPORT_FORMATS; each is the ending of a file.
        out: The folder for the files, which have the checkpoint's name.

    Raises:
        InputError: For an unknown format, or none.
    """

    network: Path
    formats: tuple[str, ...] = EXPORT_FORMATS
    out: Path = Path("exported")

    def __post_init__(self) -> None:
        if not self.formats or not set(self.formats) <= set(EXPORT_FORMATS):
            given = ",".join(self.formats)
            raise InputError(f"--formats must be of {', '.join(EXPORT_FORMATS)} with commas between, got {given!r}")


@dataclass(frozen=True)
class FetchConfig:
    """Which parts of DIV2K to bring where.

    Attributes:
        folder: Where the folders of its pictures are to lie.
        parts: Of DIV2K_PARTS.
        url: Where its archives are, http or https.
        checksums: A file of lines with a sha256 or md5 and the name of an archive; None for none.

    Raises:
        InputError: For an unknown part or another kind of URL.
    """

    folder: Path
    parts: tuple[str, ...] = DIV2K_PARTS
    url: str = DIV2K_URL
    checksums: Path | None = None

    def __post_init__(self) -> None:
        if not self.parts or not set(self.parts) <= set(DIV2K_PARTS):
            given = ",".join(self.parts)
            raise InputError(f"--parts must be {', '.join(DIV2K_PARTS)} or both with a comma between, got {given!r}")
        if not self.url.startswith(("http://", "https://")):
            raise InputError(f"--url must start with http:// or https://, got {self.url!r}")

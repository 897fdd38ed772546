"""What the export is told to do: a value that is checked and never changes."""

from dataclasses import dataclass
from pathlib import Path

from sr.errors import InputError
from sr.lr_size import LrSize

# What a network is written as; the first three wherever the extra `export` is installed, as are torchscript and py.
EXPORT_FORMATS = ("onnx", "pt2", "safetensors", "torchscript", "py", "openvino", "tensorrt")
DEFAULT_FORMATS = EXPORT_FORMATS[:3]


@dataclass(frozen=True)
class ExportConfig:
    """Which network to write in which formats.

    Attributes:
        network: A checkpoint of ours.
        formats: Of EXPORT_FORMATS.
        out: The folder for the files, which have the checkpoint's name.
        lr_size: Height and width of the one picture that they take; None leaves batch, height and width free.
        data_licence: Under which licence the pictures stand that it was trained on, for the model card; empty where
            that is not said.

    Raises:
        InputError: For an unknown format, or none.
    """

    network: Path
    formats: tuple[str, ...] = DEFAULT_FORMATS
    out: Path = Path("exported")
    lr_size: LrSize | None = None
    data_licence: str = ""

    def __post_init__(self) -> None:
        if not self.formats or not set(self.formats) <= set(EXPORT_FORMATS):
            given = ",".join(self.formats)
            raise InputError(f"--format must be of {', '.join(EXPORT_FORMATS)} with commas between, got {given!r}")

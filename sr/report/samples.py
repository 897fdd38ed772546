"""Crops of validation pictures that a run keeps, to be seen on its page."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sr.errors import InputError

# Where samples lie in the folder of a run, and there: what there is.
FOLDER = "samples"
LISTED = "samples.json"
# The names of what every run keeps; what else there is are rivals.
LR, BICUBIC, OURS, HR = "LR", "bicubic", "ours", "HR"


@dataclass(frozen=True)
class Sample:
    """A crop of a picture.

    Attributes:
        picture: What the picture is called.
        files: By LR, BICUBIC, OURS, HR or the name of a rival its PNG; LR in its own size.
        psnr: By the same names dB over RGB of the crop; LR and HR have none.
    """

    picture: str
    files: Mapping[str, Path]
    psnr: Mapping[str, float]


def read_samples(folder: Path) -> list[Sample]:
    """Return the samples in a folder, nothing where a run kept none; raises InputError where they cannot be read."""
    path = folder / LISTED
    if not path.is_file():
        return []
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        samples = [
            Sample(each["picture"], {name: folder / file for name, file in each["files"].items()}, dict(each["psnr"]))
            for each in listed
        ]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is not what a run left there; delete the folder, the page does without") from error
    if missing := [file for each in samples for file in each.files.values() if not file.is_file()]:
        raise InputError(f"{missing[0]} is not there; delete {folder}, the page does without")
    return samples

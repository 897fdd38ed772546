"""Which pictures a run was made with: what was used, what was left out, and a fingerprint to compare them by."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sr.data.left_out import LeftOut
from sr.files import StrPath, write_json
from sr.scale import DEFAULT_SCALE

# The file in a run's folder that lists what it was made with.
PICTURES = "pictures.json"


@dataclass(frozen=True)
class Used:
    """A pair that is used.

    Attributes:
        name: What it is called.
        hr: The file of HR.
        lr: The file of LR; None where it was made.
        width: Of HR as used, in pixels.
        height: Likewise.
        cropped: The size of HR as stored where LR was given and HR was cut to fit it, WIDTHxHEIGHT; else empty.
        digest: The sha256 of the files, hexadecimal.
    """

    name: str
    hr: Path
    lr: Path | None
    width: int
    height: int
    cropped: str
    digest: str


@dataclass(frozen=True)
class Manifest:
    """All pictures of a set: those used, in their order, and those left out; scale: of their LR, given or made."""

    used: tuple[Used, ...]
    left_out: tuple[LeftOut, ...]
    scale: int = DEFAULT_SCALE

    @property
    def fingerprint(self) -> str:
        """What only the same pictures of the same names in the same order share, wherever they lie: hexadecimal.

        LR that is made at another scale makes other pictures of them.
        """
        content = hashlib.sha256(b"" if self.scale == DEFAULT_SCALE else f"x{self.scale}\n".encode())
        for each in self.used:
            content.update(f"{len(each.name)} {each.name} {each.width}x{each.height} {each.digest}\n".encode())
        return content.hexdigest()

    @property
    def identity(self) -> dict[str, Any]:
        """How many pictures are used and by what their fingerprint begins, as JSON holds it."""
        return {"count": len(self.used), "fingerprint": self.fingerprint[:16]}

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON holds it."""
        return {
            "fingerprint": self.fingerprint,
            **({} if self.scale == DEFAULT_SCALE else {"scale": self.scale}),
            "used": [
                {
                    "name": each.name, "hr": str(each.hr), "lr": None if each.lr is None else str(each.lr),
                    "width": each.width, "height": each.height, "cropped_from": each.cropped or None,
                    "sha256": each.digest,
                }
                for each in self.used
            ],
            "left_out": [
                {"path": str(each.path), "reason": each.reason, "detail": each.detail, "count": each.count}
                for each in self.left_out
            ],
        }  # fmt: skip


def write_manifests(path: StrPath, **manifests: Manifest) -> None:
    """Write the manifests of several sets, such as train and val, as one JSON file by their names.

    Raises:
        InputError: Where it cannot be written.
    """
    write_json(path, {name: manifest.to_json() for name, manifest in manifests.items()})


def digest_of(paths: Sequence[Path]) -> str:
    """Return the sha256 of the contents of files, hexadecimal; their names and places do not count.

    Raises:
        OSError: Where one cannot be read.
    """
    content = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            content.update(hashlib.file_digest(file, "sha256").digest())
    return content.hexdigest()

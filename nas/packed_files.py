"""What is shipped, as values that travel to the machine which it is for."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from sr.checkpoint import load_network
from sr.shipping import ShippedFiles

_CHECKPOINT = "network.pth"


@dataclass(frozen=True)
class PackedFiles:
    """The files of a network by their names, its checkpoint among them, and which is which."""

    shipped: ShippedFiles
    contents: Mapping[str, bytes]

    @classmethod
    def of(cls, shipped: ShippedFiles) -> "PackedFiles":
        """Pack the files of a folder in which the network's checkpoint lies beside what is shipped."""
        folder = shipped.any_size.parent
        # An engine's own file may have another one beside it.
        return cls(
            shipped, {path.name: path.read_bytes() for path in sorted(folder.glob("network*")) if path.is_file()}
        )

    @contextlib.contextmanager
    def unpacked(self) -> Iterator[tuple[ShippedFiles, nn.Module]]:
        """Yield the files where this machine reads them, and the network that they were made of."""
        with tempfile.TemporaryDirectory(prefix="paretosr-") as name:
            folder = Path(name)
            for file, content in self.contents.items():
                (folder / file).write_bytes(content)
            was = self.shipped
            own = {
                field: None if path is None else folder / path.name
                for field, path in (("own_any_size", was.own_any_size), ("own_one_size", was.own_one_size))
            }
            here = replace(was, any_size=folder / was.any_size.name, one_size=folder / was.one_size.name, **own)  # type: ignore[arg-type]
            yield here, load_network(folder / _CHECKPOINT)

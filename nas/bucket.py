"""Weights in a bucket, for nodes of a cluster that have no folder in common; the only importer of fsspec."""

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sr.checkpoint import one_line
from sr.errors import InputError
from sr.files import write_bytes

# Among the weights: whoever finds it reaches the bucket.
_TOKEN = ".seen-by-all"  # noqa: S105 - no password


@dataclass(frozen=True)
class Bucket:
    """A place that fsspec reaches, whose files have names without folders.

    Every method raises InputError where it cannot be reached.

    Attributes:
        url: Such as s3://bucket/forty; of one search alone.
    """

    url: str

    def mark(self) -> None:
        """Leave the file there by which others find that they reach it."""
        with self._reached() as (files, root):
            files.makedirs(root, exist_ok=True)
            files.pipe_file(f"{root}/{_TOKEN}", b"")

    def is_marked(self) -> bool:
        """Return whether `mark` was called, here or elsewhere."""
        return self.holds(_TOKEN)

    def holds(self, name: str) -> bool:
        """Return whether there is a file of that name."""
        with self._reached() as (files, root):
            return bool(files.exists(f"{root}/{name}"))

    def keep(self, path: Path) -> None:
        """Put a file there, in the place of one of its name."""
        content = path.read_bytes()
        with self._reached() as (files, root):
            files.pipe_file(f"{root}/{path.name}", content)

    def fetch(self, name: str, folder: Path) -> Path:
        """Bring a file into a folder; returns its path, where nothing is if there is none."""
        path = folder / name
        with self._reached() as (files, root):
            content = files.cat_file(f"{root}/{name}") if files.exists(f"{root}/{name}") else None
        if content is not None:
            write_bytes(path, content)
        return path

    def fetch_all(self, stems: Collection[str], folder: Path) -> None:
        """Bring the files into a folder whose names up to their first dot are among these."""
        for name in self._names_of(stems):
            self.fetch(name, folder)

    def remove(self, stems: Collection[str]) -> None:
        """Remove the files whose names up to their first dot are among these."""
        names = self._names_of(stems)
        with self._reached() as (files, root):
            for name in names:
                files.rm_file(f"{root}/{name}")

    def _names_of(self, stems: Collection[str]) -> list[str]:
        """Return the names that up to their first dot are among these, in order."""
        with self._reached() as (files, root):
            names = sorted(Path(path).name for path in files.ls(root, detail=False))
        return [name for name in names if name.partition(".")[0] in stems]

    @contextlib.contextmanager
    def _reached(self) -> Iterator[tuple[Any, str]]:
        """Yield fsspec's file system and where in it the bucket is."""
        import fsspec  # type: ignore[import-untyped]

        try:
            files, root = fsspec.core.url_to_fs(self.url)
            # Others add files and remove them.
            files.invalidate_cache()
            yield files, root.rstrip("/")
        except Exception as error:
            raise InputError(f"--artifacts {self.url} cannot be reached: {one_line(error)}") from error

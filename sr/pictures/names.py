"""Which pictures are meant by what a user names, and what their results are called."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sr.errors import InputError
from sr.folders import is_hidden, walk
from sr.pictures.suffixes import UNUSUAL, USUAL
from sr.printable import printable
from sr.scale import DEFAULT_SCALE, SCALES

# In a folder everything else is left out, and counted.
_SUFFIXES = (*USUAL, *UNUSUAL)
# By scale.
_ENDINGS = {scale: f"_x{scale}" for scale in SCALES}
_HIDDEN, _RESULTS = "hidden", "in the folder for results"


@dataclass(frozen=True)
class Planned:
    """A picture that is to be upscaled, and its result's path without the format's suffix."""

    source: Path
    stem: Path


@dataclass(frozen=True)
class Found:
    """What the things that a user named come to.

    Attributes:
        planned: The pictures, those of a folder by name.
        unreadable: Folders that could not be listed, or hold no picture, and why.
        left_out: How many files of folders were left out, by reason.
    """

    planned: tuple[Planned, ...]
    unreadable: tuple[tuple[Path, str], ...]
    left_out: dict[str, int]


def find(given: Sequence[Path], out: Path, *, scale: int = DEFAULT_SCALE, recursive: bool = False) -> Found:
    """Return the pictures that are meant, each once.

    Args:
        given: Pictures, and folders of pictures. What is there or not is told when it is read.
        out: The folder for the results; those of pictures in subfolders go into such of it. Where it lies in one that
            is given, what is in it already is left out.
        scale: How many times larger they are, which their names say.
        recursive: Whether the folders in a folder are gone through too.

    Raises:
        InputError: Where two results would take the same name, their extensions kept.
    """
    walked = _Walk(out, recursive=recursive)
    found: list[tuple[Path, Path]] = []
    for path in given:
        found += walked.required(path) if _is_folder(path) else [(path, Path())]
    taken: set[str] = set()
    once = []
    for source, below in found:
        if identity(source) in taken:
            walked.left_out["named twice"] += 1
            continue
        taken.add(identity(source))
        once.append((source, below))
    return Found(tuple(_named(once, out, scale)), tuple(walked.unreadable), dict(walked.left_out))


def describe(left_out: dict[str, int]) -> str:
    """Say how many files were left out, by reason."""
    return printable("left out: " + ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items())))


class _Walk:
    """Goes through folders and counts what it leaves out."""

    def __init__(self, out: Path, *, recursive: bool) -> None:
        self._out, self._recursive = identity(out), recursive
        self.left_out: Counter[str] = Counter()
        self.unreadable: list[tuple[Path, str]] = []

    def required(self, folder: Path) -> list[tuple[Path, Path]]:
        """Return the pictures of a folder, each with its own as seen from there, and note where there is none."""
        noted = len(self.unreadable)
        found = list(self._pictures(folder))
        if not found and len(self.unreadable) == noted:
            self.unreadable.append((folder, f"no pictures in it; it must hold files of {', '.join(sorted(_SUFFIXES))}"))
        return found

    def _pictures(self, folder: Path) -> Iterator[tuple[Path, Path]]:
        try:
            listed = walk(folder, None if self._recursive else 0)
        except OSError as error:
            self.unreadable.append((folder, error.strerror or str(error)))
            return
        # Who gives the folder for results, or one in it, means what is there.
        has_results_below = not self._holds_results(folder)
        for each in listed:
            if has_results_below and self._holds_results(each.path):
                self.left_out[_RESULTS] += len(each.files)
                continue
            if each.hidden:
                self.left_out[_HIDDEN] += len(each.hidden)
            self.unreadable += each.closed
            yield from self._of_one(each.path, Path(each.relative), [path.name for path in each.files])

    def _holds_results(self, folder: Path) -> bool:
        """Return whether a folder is the one for results, or lies in it."""
        return f"{identity(folder)}{os.sep}".startswith(f"{self._out}{os.sep}")

    def _of_one(self, folder: Path, below: Path, names: list[str]) -> Iterator[tuple[Path, Path]]:
        pictures = [name for name in names if self._is_picture(folder / name)]
        originals = {Path(name).stem for name in pictures} | set(pictures)
        for name in pictures:
            stem = Path(name).stem
            if any(stem.endswith(each) and stem.removesuffix(each) in originals for each in _ENDINGS.values()):
                self.left_out["upscaled before"] += 1
            else:
                yield folder / name, below

    def _is_picture(self, path: Path) -> bool:
        if is_hidden(path.name):
            self.left_out[_HIDDEN] += 1
        elif path.suffix.lower() not in _SUFFIXES:
            self.left_out[f"of kind {path.suffix.lower() or 'without a suffix'}"] += 1
        elif not _is_file(path):
            self.left_out["no files"] += 1
        else:
            return True
        return False


def _named(sources: Sequence[tuple[Path, Path]], out: Path, scale: int) -> Iterator[Planned]:
    """Yield where the results go: the extension is kept in the name where two stems clash."""
    stems = Counter(out / below / source.stem for source, below in sources)
    taken: dict[Path, Path] = {}
    for source, below in sources:
        clashes = stems[out / below / source.stem] > 1
        stem = out / below / f"{source.name if clashes else source.stem}{_ENDINGS[scale]}"
        if stem in taken:
            both = f"{taken[stem]} and {source} would both become {stem}"
            raise InputError(printable(f"{both}; upscale them in separate runs, or into separate folders"))
        taken[stem] = source
        yield Planned(source, stem)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        # Where it cannot be told, reading it says why.
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def identity(path: Path) -> str:
    """Return what two names of one file or folder have in common."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return str(path)

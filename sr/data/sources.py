"""Where LR and HR pairs come from: photographs inside scikit-image, folders of one's own, the field's data sets."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import skimage

from sr.data.decoding import Minimum, decode_all
from sr.data.finding import Group, Source, find
from sr.data.layouts import Label
from sr.data.left_out import SHOWN_NAMES, LeftOut, summary
from sr.data.manifest import Manifest
from sr.data.pairs import Pairs
from sr.data.places import Place, places
from sr.errors import InputError
from sr.files import StrPath
from sr.memory import free_bytes
from sr.printable import printable
from sr.progress import Message, Report, no_report
from sr.scale import DEFAULT_SCALE

Part = Literal["train", "val"]
Given = StrPath | Sequence[StrPath]

# Photographs that scikit-image carries; both views of the motorcycle show one scene, so both are trained on.
EMBEDDED: dict[Part, tuple[str, ...]] = {
    "train": (
        "astronaut.png",
        "hubble_deep_field.jpg",
        "ihc.png",
        "motorcycle_left.png",
        "motorcycle_right.png",
        "retina.jpg",
    ),
    "val": ("chelsea.png", "coffee.png", "rocket.jpg"),
}
# What a folder with several kinds of pictures is asked for, in this order: the first that it has.
_WANTED: dict[Part, tuple[tuple[Label | None, ...], ...]] = {
    "train": (("train", None),),
    "val": (("val",), (None,), ("test",)),
}
_FOR: dict[Part, str] = {"train": "to train on", "val": "to validate on"}
GIVEN_TWICE = "given twice"


@dataclass(frozen=True, eq=False)
class PictureSet:
    """Pairs, and which files they are."""

    pairs: Pairs
    manifest: Manifest


def load_pairs(
    folder: Given | None,
    part: Part,
    *,
    minimum_lr_side: int = 1,
    report: Report = no_report,
    memory_limit: int | None = None,
    scale: int = DEFAULT_SCALE,
) -> Pairs:
    """Decode all pairs of a place, or without one the photographs inside scikit-image: those of `load_set`."""
    return load_set(
        folder, part, minimum_lr_side=minimum_lr_side, report=report, memory_limit=memory_limit, scale=scale
    ).pairs


def load_set(
    folder: Given | None,
    part: Part,
    *,
    minimum_lr_side: int = 1,
    report: Report = no_report,
    memory_limit: int | None = None,
    scale: int = DEFAULT_SCALE,
) -> PictureSet:
    """Decode all pairs of a place, or without one the photographs inside scikit-image.

    Args:
        folder: As `sr.data.places.places` takes it. A folder holds HR and LR in a layout of `sr.data.layouts.rules`, or
            HR pictures, whose LR is then made by `degrade`. A text file lists HR pictures.
        part: What they are for, where the names of folders tell; which of scikit-image's photographs.
        minimum_lr_side: In pixels; smaller pictures are left out.
        report: Is told in one line how many pictures are left out and why, in another how many are cropped.
        memory_limit: Over so many bytes the pixels lie in a temporary file that is mapped into memory; default: half
            of what is free.
        scale: How many times larger HR is. LR whose name says another scale is left out.

    Returns:
        The pairs in the order of their folders and names, on the CPU, each of a name of its own.

    Raises:
        InputError: Where no pair is left, a place is not there, or LR lies in it that is not understood.
    """
    limit = free_bytes() // 2 if memory_limit is None else memory_limit
    entries, left_out = _entries(folder, part, report, scale)
    patch = f"too small for {'patches' if part == 'train' else 'LR sides'} of {minimum_lr_side}"
    minimum = Minimum(max(1, minimum_lr_side), patch)
    pairs, decoded = decode_all(entries, unique_names(entries), minimum, limit, scale)
    manifest = Manifest(decoded.used, (*left_out, *decoded.left_out), scale)
    line = summary(manifest.left_out)
    if pairs is None:
        given = "scikit-image" if folder is None else ", ".join(str(place) for place in places(folder))
        raise InputError(f"no usable picture {_FOR[part]} in {given}: {line}")
    if line:
        report(Message(line, aside=True))
    _say_cropped(manifest, report, scale)
    return PictureSet(pairs, manifest)


def sources(folder: Given | None, part: Part, report: Report, scale: int = DEFAULT_SCALE) -> list[Source]:
    """List the files of the pairs of a place, without decoding them.

    Args:
        folder: As `load_set` takes it.
        part: Likewise.
        report: Is told what is left out.
        scale: As `load_set` takes it.

    Raises:
        InputError: Where there is none.
    """
    entries, left_out = _entries(folder, part, report, scale)
    if left_out:
        report(Message(summary(left_out), aside=True))
    return entries


def holds_validation(folder: Given, scale: int = DEFAULT_SCALE) -> bool:
    """Return whether a place has pictures whose folders say that they are to validate on, as DIV2K has.

    Raises:
        InputError: Where a place is not there or holds no picture.
    """
    return any(group.label == "val" and group.sources for place in places(folder) for group in find(place, scale))


def unique_names(entries: Sequence[Source]) -> list[str]:
    """Return what each pair is called: the name of HR without its suffix, with its folders where two have the same."""
    stems = Counter(entry.hr.stem for entry in entries)
    doubled = [entry.hr.absolute() for entry in entries if stems[entry.hr.stem] > 1]
    common = os.path.commonpath([path.parent for path in doubled]) if doubled else ""
    names = [
        entry.hr.absolute().relative_to(common).with_suffix("").as_posix()
        if stems[entry.hr.stem] > 1
        else entry.hr.stem
        for entry in entries
    ]
    # What still is the same differs by its suffix alone.
    counts = Counter(names)
    return [
        printable(name if counts[name] == 1 else f"{name}{entry.hr.suffix}")
        for name, entry in zip(names, entries, strict=True)
    ]


def _entries(folder: Given | None, part: Part, report: Report, scale: int) -> tuple[list[Source], list[LeftOut]]:
    """Return the files of all pairs of a place, none of them twice, and what of it is left out."""
    if folder is None:
        inside = Path(skimage.__file__).parent / "data"
        return [Source(inside / name) for name in EMBEDDED[part]], []
    given = places(folder)
    groups: list[Group] = []
    without = []
    for place in given:
        chosen = _chosen(find(place, scale), part)
        groups += chosen
        if not any(group.sources or group.left_out for group in chosen):
            without.append(place)
    if len(without) == len(given):
        raise InputError(_no_part(given, part))
    notes = [note for group in groups for note in group.notes]
    notes += [f"{place} holds nothing {_FOR[part]} and is not used" for place in without]
    for note in notes:
        report(Message(printable(note), aside=True))
    return _without_doubles(groups)


def _chosen(groups: Sequence[Group], part: Part) -> list[Group]:
    """Return the groups of a place that are for `part`, with what is left out of them."""
    there = {group.label for group in groups if group.sources}
    for labels in _WANTED[part]:
        if there & set(labels):
            return [group for group in groups if group.label in labels or (group.label is None and not group.sources)]
    # Where nothing could be paired at all, what was left out says why.
    return [] if there else list(groups)


def _without_doubles(groups: Sequence[Group]) -> tuple[list[Source], list[LeftOut]]:
    """Return the pairs of all groups, each file of HR once, and all that is left out, named once as well."""
    files = [(os.path.realpath(source.hr), source) for group in groups for source in group.sources]
    first: dict[str, Source] = {}
    for file, source in files:
        first.setdefault(file, source)
    left_out = dict.fromkeys(each for group in groups for each in group.left_out)
    twice = [LeftOut(source.hr, GIVEN_TWICE) for file, source in files if first[file] is not source]
    return list(first.values()), [*left_out, *twice]


def _no_part(given: Sequence[Place], part: Part) -> str:
    """Say that places have pictures only for something else."""
    where = ", ".join(str(place) for place in given)
    expected = {"train": "DIV2K_train_HR or train", "val": "DIV2K_valid_HR or val"}[part]
    return f"{where} holds no pictures {_FOR[part]}; they lie in a folder such as {expected}, or give their own folder"


def _say_cropped(manifest: Manifest, report: Report, scale: int) -> None:
    """Report once how many HR pictures were cut to `scale` times their LR."""
    cropped = [each for each in manifest.used if each.cropped]
    if not cropped:
        return
    shown = [f"{each.name} {each.cropped} to {each.width}x{each.height}" for each in cropped[:SHOWN_NAMES]]
    names = ", ".join(shown + ["..."] * (len(cropped) > SHOWN_NAMES))
    report(Message(f"cropped {len(cropped)} HR to {scale} times their LR ({names})", aside=True))

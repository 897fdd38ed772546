"""From a place to the pairs in it: by the layout of its folders, by a list, or as plain pictures."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from sr.data.layouts import LR_ALONE, Label, Layout, Pairing, is_lr, is_usual_lr, label_of, other_form, recognise
from sr.data.left_out import LeftOut, summary
from sr.data.list_file import LIST_SUFFIXES, read_list
from sr.data.listing import CLOSED, NO_PICTURE, ONLY_NAMED, Folder, scan
from sr.data.matching import match_names, split_by_names, without_other_scales
from sr.data.places import Place
from sr.errors import InputError
from sr.pictures.suffixes import USUAL
from sr.scale import DEFAULT_SCALE

BELOW = "in folders below, which --recursive takes"
NO_PART = "in a folder that is no part of the layout"
OUTSIDE = "outside the folders of the layout"
# A layout lies within so many folders of the one that is given, as in DF2K/DIV2K/DIV2K_train_LR_bicubic/X4.
_DEPTH = 4
_LR_DEPTH = 2
# What data sets are packed in.
_PACKED = (".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".rar", ".lmdb", ".h5", ".hdf5")
# HR directly in the folder that is given, without LR.
_TOP_ALONE = Layout((Pairing("", None, 0),), {})


@dataclass(frozen=True)
class Source:
    """The files of one pair.

    Attributes:
        hr: The picture.
        lr: Its LR; None where it is to be made.
        slack: HR may exceed LR times the scale by fewer pixels than this, or than the scale, which are cut off.
    """

    hr: Path
    lr: Path | None = None
    slack: int = 0


@dataclass(frozen=True)
class Group:
    """Pairs of one folder.

    Attributes:
        label: What the names of the folders say that they are for; None where they say nothing.
        sources: The pairs, in the order of their names.
        left_out: What of the folder is none.
        notes: What else is to be said.
    """

    label: Label | None
    sources: tuple[Source, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()


def find(place: Place, scale: int = DEFAULT_SCALE) -> list[Group]:
    """Find the pairs of a place, for whatever they are.

    Args:
        place: Where they are.
        scale: Of their LR; LR of another is named and left out.

    Raises:
        InputError: Where there is none, or LR lies there that is not understood.
    """
    if place.path.is_dir():
        return _in_folder(place, scale)
    if place.path.suffix.lower() not in LIST_SUFFIXES:
        return _listed([(place.path, None)], (), scale)
    return _listed(*read_list(place.path), scale)


def _in_folder(place: Place, scale: int) -> list[Group]:
    """Find the pairs of a folder."""
    folders = scan(place.path, None if place.recursive else _DEPTH)
    leaves = {each.relative: each for each in folders if each.pictures}
    layout = recognise(leaves, scale)
    if not layout.pairings:
        return _plain(place, folders, leaves, scale)
    groups = [_paired(leaves, pairing, scale) for pairing in layout.pairings]
    used = {each for pairing in layout.pairings for each in (pairing.hr, pairing.lr)}
    for folder in folders:
        _refuse_packed_lr(place.path, folder, layout, scale)
        if folder.relative in used:
            continue
        label = label_of(folder.relative)
        if folder.pictures and place.recursive and not _why_unused(folder, layout, scale):
            groups.append(_alone(folder, label, scale))
        elif folder.pictures:
            why = _why_unused(folder, layout, scale) or NO_PART
            _refuse_unknown_lr(place.path, folder, why, layout, scale)
            groups.append(Group(label, left_out=(*_whole(folder, why), *_only_named(folder))))
        else:
            _refuse_lr_without_pictures(place.path, folder, folders, layout, scale)
            groups.append(Group(label, left_out=_only_named(folder)))
    return groups


def _plain(place: Place, folders: Sequence[Folder], leaves: Mapping[str, Folder], scale: int) -> list[Group]:
    """Return the pictures directly in a folder, and where it is recursive those below, each HR or told by its name."""
    top = leaves.get("")
    if not leaves or (top is None and not place.recursive):
        raise InputError(_nothing_in(place.path, folders, leaves))
    groups = [] if top is None else [_beside_or_alone(top.path, top.pictures, top.left_out, scale, whole=True)]
    if top is not None and all(source.lr is None for source in groups[0].sources):
        _refuse_packed_lr(place.path, top, _TOP_ALONE, scale)
    for folder in folders:
        if not folder.relative:
            groups.append(Group(None, left_out=() if folder.pictures else folder.left_out))
        elif not folder.pictures:
            _refuse_lr_without_pictures(place.path, folder, folders, _TOP_ALONE, scale)
            groups.append(Group(None, left_out=folder.left_out if place.recursive else _only_named(folder)))
        elif why := _why_unused(folder, _TOP_ALONE, scale):
            _refuse_unknown_lr(place.path, folder, why, _TOP_ALONE, scale)
            groups.append(Group(None, left_out=_whole(folder, why)))
        elif place.recursive:
            groups.append(_alone(folder, label_of(folder.relative), scale))
        else:
            groups.append(Group(None, left_out=_whole(folder, BELOW)))
    return groups


def _paired(leaves: Mapping[str, Folder], pairing: Pairing, scale: int) -> Group:
    """Return the pairs of two folders, or of one where LR is not given."""
    hr, label = leaves[pairing.hr], label_of(pairing.hr)
    if pairing.lr is None:
        return _alone(hr, label, scale)
    lr = leaves[pairing.lr]
    matched = match_names(hr.pictures, lr.pictures, scale)
    sources = tuple(Source(*pair, pairing.slack) for pair in matched.pairs)
    return Group(label, sources, (*hr.left_out, *lr.left_out, *matched.left_out))


def _alone(folder: Folder, label: Label | None, scale: int) -> Group:
    """Return the pictures of a folder without another for LR."""
    pictures, others = without_other_scales(folder.pictures, scale)
    left_out = (*folder.left_out, *others)
    matched = split_by_names(pictures, scale)
    if matched is None:
        return Group(label, tuple(Source(path) for path in pictures), left_out)
    sources = tuple(Source(*pair) for pair in matched.pairs)
    return Group(label, sources, (*left_out, *matched.left_out))


def _listed(listed: Sequence[tuple[Path, Path | None]], left_out: Sequence[LeftOut], scale: int) -> list[Group]:
    """Return pictures that were named one by one, with the LR named or lying beside their folders."""
    groups = [Group(None, left_out=tuple(left_out))]
    folders: dict[Path, list[Path]] = {}
    for hr, lr in listed:
        if lr is None:
            folders.setdefault(hr.parent, []).append(hr)
    beside = {folder: _beside_or_alone(folder, each, (), scale, whole=False) for folder, each in folders.items()}
    groups += [Group(None, (), each.left_out, each.notes) for each in beside.values()]
    found = {source.hr: source for each in beside.values() for source in each.sources}
    sources = [found.get(hr) if lr is None else Source(hr, lr) for hr, lr in listed]
    return [*groups, Group(None, tuple(each for each in sources if each))]


def _beside_or_alone(
    folder: Path, pictures: Sequence[Path], left_out: Sequence[LeftOut], scale: int, *, whole: bool
) -> Group:
    """Return HR pictures of a folder with the LR that lies beside it, where one does and is understood.

    Args:
        folder: Theirs.
        pictures: Some of it.
        left_out: What else is in it.
        scale: Of the LR.
        whole: Whether they are all of it, so that LR without HR and LR told by the name are to be seen.
    """
    lr, slack, notes = _lr_beside(folder, scale)
    if lr is not None:
        matched = match_names(pictures, lr.pictures, scale)
        others = tuple(each for each in matched.left_out if whole or each.reason != LR_ALONE)
        sources = tuple(Source(*pair, slack) for pair in matched.pairs)
        return Group(None, sources, (*left_out, *(lr.left_out if whole else ()), *others), notes)
    if whole and any(is_usual_lr("/".join(folder.parts[-count:]), scale) for count in (1, 2)):
        notes = (*notes, f"{folder} is named like LR, but its pictures are taken as HR")
    group = _alone(Folder(folder, "", tuple(pictures), tuple(left_out)), None, scale) if whole else Group(
        None, tuple(Source(path) for path in pictures), tuple(left_out)
    )  # fmt: skip
    return Group(None, group.sources, group.left_out, notes)


def _lr_beside(folder: Path, scale: int) -> tuple[Folder | None, int, tuple[str, ...]]:
    """Return the LR that lies beside a folder of HR by the rules of the layouts, its slack, and what to say of it."""
    here = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would leave the folder by its links
    if not recognise([here.name], scale).pairings:
        return None, 0, ()
    try:
        around = sorted(here.parent.iterdir())
        beside = [each for each in around if is_lr(each.name, scale) and each.is_dir() and each != here]
        listed = [(each.name, leaf) for each in beside for leaf in scan(each, _LR_DEPTH) if leaf.pictures]
    except (OSError, InputError):  # HR may be read where what lies around it may not
        return None, 0, ()
    leaves = {str(PurePosixPath(name, leaf.relative)): leaf for name, leaf in listed}
    for pairing in recognise([here.name, *leaves], scale).pairings:
        if pairing.hr == here.name and pairing.lr is not None:
            lr = leaves[pairing.lr]
            return lr, pairing.slack, (f"LR of {folder} is read from {lr.path}",)
    label = label_of(here.name)
    unused = [name for name in leaves if label_of(name) in (None, label)]
    notes = (f"LR of {folder} is made: {', '.join(unused)} beside it is not its LR x{scale}",) if unused else ()
    return None, 0, notes


def _why_unused(folder: Folder, layout: Layout, scale: int) -> str:
    """Return why a folder that is no part of a layout is not used by its name; empty where the name says nothing."""
    known = layout.unused.get(folder.relative) or other_form(folder.relative, scale)
    return known or (LR_ALONE if is_lr(folder.relative, scale) else "")


def _refuse_unknown_lr(
    top: Path, folder: Folder, why: str, layout: Layout, scale: int, *, packed_in: str | None = None
) -> None:
    """Raise InputError where a folder seems to hold the LR of HR for which none was found.

    packed_in: The file that it is yet to be unpacked from.
    """
    if why != LR_ALONE:
        return
    for pairing in layout.pairings:
        parent = str(PurePosixPath(pairing.hr).parent)
        within = parent == "." or folder.relative.startswith(parent + "/")
        if pairing.lr is None and within and label_of(folder.relative) in (None, label_of(pairing.hr)):
            hr = pairing.hr or "its pictures"
            if packed_in is not None:
                raise InputError(f"{top} holds {packed_in}, as if with the LR of {hr}; unpack it, or move it away")
            raise InputError(
                f"{top} holds {folder.relative}, which is not understood as the LR x{scale} of {hr}; name it "
                f"LRx{scale} or LR_bicubic/X{scale}, or move it away"
            )


def _refuse_packed_lr(top: Path, folder: Folder, layout: Layout, scale: int) -> None:
    """Raise InputError where LR of HR for which none was found seems to lie packed in a folder."""
    for each in folder.left_out:
        name = each.path.name
        if each.reason == NO_PICTURE and name.lower().endswith(_PACKED):
            below = PurePosixPath(folder.relative)
            unpacked = replace(folder, relative=str(below / name.partition(".")[0]))
            why = _why_unused(unpacked, layout, scale)
            _refuse_unknown_lr(top, unpacked, why, layout, scale, packed_in=str(below / name))


def _refuse_lr_without_pictures(
    top: Path, folder: Folder, folders: Sequence[Folder], layout: Layout, scale: int
) -> None:
    """Raise InputError where a folder is named like LR but is empty, or holds it in a form that is not read."""
    if not is_lr(folder.relative, scale) or any(each.relative.startswith(folder.relative + "/") for each in folders):
        return
    _refuse_unknown_lr(top, folder, _why_unused(folder, layout, scale), layout, scale)


def _whole(folder: Folder, reason: str) -> tuple[LeftOut, ...]:
    """Return the pictures of a folder as left out: one by one in the folder that is given, else as their folder."""
    if not folder.relative:
        return tuple(LeftOut(path, OUTSIDE) for path in folder.pictures)
    return (LeftOut(folder.path, reason, count=len(folder.pictures)),)


def _only_named(folder: Folder) -> tuple[LeftOut, ...]:
    """Return what of a folder that is not used could be, or hold, a picture."""
    return tuple(each for each in folder.left_out if each.reason in (ONLY_NAMED, CLOSED))


def _nothing_in(top: Path, folders: Sequence[Folder], leaves: Mapping[str, Folder]) -> str:
    """Say that a folder holds no picture, what it holds instead, and what to do."""
    line = f"no pictures in {top}; it must directly hold files of {', '.join(sorted(USUAL))}"
    if leaves:
        below = f"{sum(len(each.pictures) for each in leaves.values())} lie below it, in {', '.join(list(leaves)[:3])}"
        line = f"no pictures in {top} itself; {below}: give one of these, or --recursive"
    left_out = [each for folder in folders for each in folder.left_out]
    return f"{line} ({summary(left_out)})" if left_out else line

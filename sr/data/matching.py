"""Which LR picture belongs to which HR picture, by the names of the files."""

import functools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from sr.data.layouts import LR_ALONE, not_of_scale, other_scales
from sr.data.left_out import LeftOut
from sr.scale import DEFAULT_SCALE

HR_ALONE = "without LR"
NEITHER = "neither HR nor LR by the name"


# LR in a name, with how it was made.
_LR = r"[_-](?:lr|lq)(?:bicubic|bic|bi)?"


@functools.cache
def _hr_name(factor: str) -> re.Pattern[str]:
    """Return the pattern of baby_HR, baby_HR_x4 and img_001_SRF_4_HR; factor: the pattern of 4."""
    return _named(rf"_srf_{factor}_hr|[_-](?:hr|gt)(?:[_-]?x{factor})?")


@functools.cache
def _lr_name(factor: str) -> re.Pattern[str]:
    """Return the pattern of 0001x4, baby_x4, baby_LR, baby_LRBI_x4 and img_001_SRF_4_LR."""
    return _named(rf"_srf_{factor}_lr|{_LR}|(?:[_-]?(?:lr)?(?:bicubic|bic|bi)?[_-]?)x{factor}|{_LR}[_-]?x{factor}")


@functools.cache
def _lr_beside_hr(factor: str) -> re.Pattern[str]:
    """Return the pattern of what alone says LR in one folder with HR: a name such as baby_x4 is as likely one of SR."""
    return _named(rf"_srf_{factor}_lr|{_LR}(?:[_-]?x{factor})?|(?<![_-])x{factor}")


@functools.cache
def _lr_of_other_scale(scale: int) -> re.Pattern[str]:
    """Return the pattern of what says LR of another scale in one folder with HR."""
    other = other_scales(scale)
    return _named(rf"_srf_{other}_lr|{_LR}[_-]?x{other}|(?<![_-])x{other}")


def _named(ending: str) -> re.Pattern[str]:
    """Return the pattern of a picture's name with an ending; _s001 numbers the sub-images of one picture."""
    return re.compile(rf"(?P<base>.+?)(?:{ending})(?P<tile>_s\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class Matched:
    """Pairs of HR and LR in the order of HR, and what has no partner."""

    pairs: tuple[tuple[Path, Path], ...]
    left_out: tuple[LeftOut, ...]


def match_names(hr: Sequence[Path], lr: Sequence[Path], scale: int = DEFAULT_SCALE) -> Matched:
    """Pair pictures of the same name, or whose names differ by what marks HR and LR.

    Args:
        hr: The HR pictures, no two of one name.
        lr: The LR pictures, likewise.
        scale: Which the names may say.
    """
    hr_name, lr_name = _hr_name(str(scale)), _lr_name(str(scale))
    exact = {path.stem: path for path in lr}
    by_base: dict[str, Path] = {}
    for path in lr:
        by_base.setdefault(_base(lr_name, path), path)
    pairs: list[tuple[Path, Path]] = []
    left_out = []
    for path in hr:
        base = _base(hr_name, path)
        found = exact.get(path.stem) or by_base.get(path.stem) or exact.get(base) or by_base.get(base)
        if found is None:
            left_out.append(LeftOut(path, HR_ALONE))
        else:
            pairs.append((path, found))
    used = {path for _, path in pairs}
    return Matched(tuple(pairs), (*left_out, *(LeftOut(path, LR_ALONE) for path in lr if path not in used)))


def split_by_names(pictures: Sequence[Path], scale: int = DEFAULT_SCALE) -> Matched | None:
    """Pair HR and LR that lie in one folder, told apart by their names; None where all of them are HR.

    Args:
        pictures: All of a folder, no two of one name.
        scale: Which the names may say.
    """
    hr_name, lr_name = _hr_name(str(scale)), _lr_beside_hr(str(scale))
    bases = {_base(hr_name, path) for path in pictures if hr_name.fullmatch(path.stem)}
    lr = _named_after(pictures, lr_name, bases | {path.stem for path in pictures})
    if not lr:
        return None
    marked = not bases.isdisjoint(_base(lr_name, path) for path in lr)
    rest = sorted(set(pictures) - set(lr))
    hr = [path for path in rest if not marked or hr_name.fullmatch(path.stem)]
    found = match_names(hr, lr, scale)
    neither = tuple(LeftOut(path, NEITHER) for path in sorted(set(rest) - set(hr)))
    return Matched(found.pairs, (*found.left_out, *neither))


def without_other_scales(
    pictures: Sequence[Path], scale: int = DEFAULT_SCALE
) -> tuple[tuple[Path, ...], tuple[LeftOut, ...]]:
    """Divide the pictures of a folder into those to use and the LR of other scales, told by names, of some of them."""
    hr_name = _hr_name(f"(?:{scale}|{other_scales(scale)})")
    names = {path.stem for path in pictures} | {_base(hr_name, path) for path in pictures}
    others = dict.fromkeys(_named_after(pictures, _lr_of_other_scale(scale), names))
    used = tuple(path for path in pictures if path not in others)
    return used, tuple(LeftOut(path, not_of_scale(scale)) for path in others)


def _named_after(pictures: Sequence[Path], pattern: re.Pattern[str], names: Collection[str]) -> list[Path]:
    """Return the pictures whose names are one of `names` and what a pattern adds."""
    return [each for each in pictures if (match := pattern.fullmatch(each.stem)) and _joined(match) in names]


def _base(pattern: re.Pattern[str], path: Path) -> str:
    """Return the name without what marks its side."""
    match = pattern.fullmatch(path.stem)
    return _joined(match) if match else path.stem


def _joined(match: re.Match[str]) -> str:
    return match["base"] + (match["tile"] or "")

"""Which LR picture belongs to which HR picture, by the names of the files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sr.data.layouts import LR_ALONE
from sr.data.left_out import LeftOut

HR_ALONE = "without LR"
NEITHER = "neither HR nor LR by the name"

# baby, baby_HR, baby_HR_x4, img_001_SRF_4_HR; _s001 numbers the sub-images of one picture.
_HR_NAME = re.compile(r"(?P<base>.+?)(?:_srf_4_hr|[_-](?:hr|gt)(?:[_-]?x4)?)(?P<tile>_s\d+)?", re.IGNORECASE)
# 0001x4, baby_x4, baby_LR, baby_LRBI_x4, img_001_SRF_4_LR.
_LR_NAME = re.compile(
    r"(?P<base>.+?)(?:_srf_4_lr|[_-](?:lr|lq)(?:bicubic|bic|bi)?|(?:[_-]?(?:lr)?(?:bicubic|bic|bi)?[_-]?)x4"
    r"|[_-](?:lr|lq)(?:bicubic|bic|bi)?[_-]?x4)(?P<tile>_s\d+)?",
    re.IGNORECASE,
)
# In one folder with HR only these say LR: a name such as baby_x4 is as likely one of SR.
_LR_BESIDE_HR = re.compile(
    r"(?P<base>.+?)(?:_srf_4_lr|[_-](?:lr|lq)(?:bicubic|bic|bi)?(?:[_-]?x4)?|(?<![_-])x4)(?P<tile>_s\d+)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Matched:
    """Pairs of HR and LR in the order of HR, and what has no partner."""

    pairs: tuple[tuple[Path, Path], ...]
    left_out: tuple[LeftOut, ...]


def match_names(hr: Sequence[Path], lr: Sequence[Path]) -> Matched:
    """Pair pictures of the same name, or whose names differ by what marks HR and LR.

    Args:
        hr: The HR pictures, no two of one name.
        lr: The LR pictures, likewise.
    """
    exact = {path.stem: path for path in lr}
    by_base: dict[str, Path] = {}
    for path in lr:
        by_base.setdefault(_base(_LR_NAME, path), path)
    pairs: list[tuple[Path, Path]] = []
    left_out = []
    for path in hr:
        base = _base(_HR_NAME, path)
        found = exact.get(path.stem) or by_base.get(path.stem) or exact.get(base) or by_base.get(base)
        if found is None:
            left_out.append(LeftOut(path, HR_ALONE))
        else:
            pairs.append((path, found))
    used = {path for _, path in pairs}
    return Matched(tuple(pairs), (*left_out, *(LeftOut(path, LR_ALONE) for path in lr if path not in used)))


def split_by_names(pictures: Sequence[Path]) -> Matched | None:
    """Pair HR and LR that lie in one folder, told apart by their names; None where all of them are HR.

    Args:
        pictures: All of a folder, no two of one name.
    """
    bases = {_base(_HR_NAME, path) for path in pictures if _HR_NAME.fullmatch(path.stem)}
    names = bases | {path.stem for path in pictures}
    lr = [each for each in pictures if (match := _LR_BESIDE_HR.fullmatch(each.stem)) and _joined(match) in names]
    if not lr:
        return None
    marked = not bases.isdisjoint(_base(_LR_BESIDE_HR, path) for path in lr)
    rest = sorted(set(pictures) - set(lr))
    hr = [path for path in rest if not marked or _HR_NAME.fullmatch(path.stem)]
    found = match_names(hr, lr)
    neither = tuple(LeftOut(path, NEITHER) for path in sorted(set(rest) - set(hr)))
    return Matched(found.pairs, (*found.left_out, *neither))


def _base(pattern: re.Pattern[str], path: Path) -> str:
    """Return the name without what marks its side."""
    match = pattern.fullmatch(path.stem)
    return _joined(match) if match else path.stem


def _joined(match: re.Match[str]) -> str:
    return match["base"] + (match["tile"] or "")

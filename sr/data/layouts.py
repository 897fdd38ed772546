"""The layouts of the field's data sets: one table of where HR lies and where its LR, as paths of folders.

Paths are those below the folder that is given, in lower case, with slashes. A folder of HR and one of LR belong
together where the named groups of one rule agree: what lies above them, the set, and whether they hold sub-images.
"""

import functools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sr.scale import DEFAULT_SCALE

Label = Literal["train", "val", "test"]


@dataclass(frozen=True)
class Rule:
    """Where HR and LR lie.

    Attributes:
        example: Who has it so.
        hr: The pattern of the folder of HR.
        lr: That of the folder of LR; None where LR is always made.
        alone: Whether HR is known by its name alone, without LR.
        top_is_free: Whether HR alone holds only where no picture lies directly in the folder that is given.
        slack: HR may exceed LR times the scale by fewer pixels than this, or than the scale, which are cut off.
    """

    example: str
    hr: str
    lr: str | None
    alone: bool = True
    top_is_free: bool = False
    slack: int = 0


_ABOVE = r"(?P<above>(?:[^/]+/){0,2}?)"
_SET = r"(?P<set>(?:[^/]+[_ -])?)"
_SUB = r"(?P<sub>(?:[_-]sub)?)"
_BICUBIC = r"(?:bicubic|bic|bi)"


@functools.cache
def rules(scale: int) -> tuple[Rule, ...]:
    """Return where HR and LR of a scale lie; of several rules that hold the first counts."""
    factor = _factor(scale)
    small = rf"(?:{_BICUBIC}[_-]?)?(?:lr|lq)(?:[_-]?{_BICUBIC})?(?:[_/-]?{factor}){{0,2}}"
    return (
        Rule(
            f"DIV2K_train_HR + DIV2K_train_LR_bicubic/X{scale}, Flickr2K, HR + LRx{scale}, HR_x{scale} + LR_x{scale}, "
            f"GTmod12 + LRbicx{scale}, *_HR_sub",
            hr=rf"{_ABOVE}(?:[^/]*hr/)?{_SET}(?P<kind>hr|gt|gt[_-]?mod\d+)(?:[_-]?{factor})?{_SUB}",
            lr=rf"{_ABOVE}(?:[^/]*lr[^/]*/)?{_SET}{small}{_SUB}",
        ),
        Rule(
            f"HR/Set5/x{scale} + LR/LRBI/Set5/x{scale}, HR/Set5 + LR_bicubic/X{scale}/Set5",
            hr=rf"{_ABOVE}(?P<kind>hr|gt)/(?P<set>[^/]+)(?:/{factor})?",
            lr=rf"{_ABOVE}(?:(?:lr|lq)/)?{small}/(?P<set>[^/]+)(?:/{factor})?",
        ),
        Rule(
            f"image_SRF_{scale} of *_SRF_{scale}_HR.png and *_SRF_{scale}_LR.png",
            hr=rf"{_ABOVE}(?P<kind>image_srf_{scale})",
            lr=None,
        ),
        Rule(
            f"original + LRbicx{scale}, whose LR is made from HR cropped to multiples of 12",
            hr=rf"{_ABOVE}(?P<kind>original)",
            lr=rf"{_ABOVE}{small}",
            top_is_free=True,
            slack=12,
        ),
        Rule(
            "trainH + trainL, testH + testL",
            hr=rf"{_ABOVE}(?P<set>train|training|valid|val|test)[_-]?(?P<kind>h)",
            lr=rf"{_ABOVE}(?P<set>train|training|valid|val|test)[_-]?l(?:[_/-]?{factor})?",
        ),
        Rule(
            f"HR directly in the folder that is given, LRx{scale} in it",
            hr=r"(?P<kind>)",
            lr=small,
            alone=False,
        ),
        Rule(
            "train + val, HR alone",
            hr=r"(?P<set>train|training|valid|val|validation|test|testing)(?:/images?)?(?P<kind>)",
            lr=None,
            top_is_free=True,
        ),
    )


@functools.cache
def _compiled(scale: int) -> tuple[tuple[Rule, re.Pattern[str], re.Pattern[str] | None], ...]:
    """Return the rules of a scale with their two patterns."""
    return tuple((rule, re.compile(rule.hr), re.compile(rule.lr) if rule.lr else None) for rule in rules(scale))


def _factor(scale: int) -> str:
    """Return the pattern of what says a scale: x4, and 4x."""
    return rf"(?:x{scale}|{scale}x)"


_GROUPS = ("above", "set", "sub")
# Of several HR folders for one LR the first: LR is made from what was cropped for it.
_KINDS = ("hr", "gt", "gtmod12", "gt_mod12", "gt-mod12")

OTHER_DEGRADATION = "LR that is not made by bicubic"
OTHER_LR = "LR beside another that is used"
OTHER_HR = "HR beside another form of it that is used"
LR_ALONE = "LR without HR"

# What sets come in, whether or not a network here is of that scale.
_PUBLISHED_SCALES = (2, 3, 4, 6, 8, 16)
_OTHER_DEGRADATION = re.compile(
    r"(?<![a-z])(?:lr)?(?:unknown|mild|wild|difficult|bd|dn|blur|noise|noisy|jpeg)(?![a-z])"
)


def other_scales(scale: int) -> str:
    """Return the pattern of the scales, as digits, that sets come in beside this one."""
    return rf"(?:{'|'.join(str(each) for each in _PUBLISHED_SCALES if each != scale)})"


@functools.cache
def _other_scale(scale: int) -> re.Pattern[str]:
    """Return the pattern of a folder's name that says another scale."""
    other = other_scales(scale)
    return re.compile(
        rf"(?<![a-z0-9])(?:[a-z]*(?:lr|lq|hr|gt|{_BICUBIC}))?[_-]?(?:x{other}|{other}x|srf_{other})(?![a-z0-9])"
    )


@functools.cache
def _lr_word(scale: int) -> re.Pattern[str]:
    """Return the pattern of a folder's name that says LR."""
    return re.compile(
        rf"(?<![a-z])(?:{_BICUBIC})?(?:lr|lq)(?:{_BICUBIC}|bd|dn)?(?:x?(?:{scale}|{other_scales(scale)}))?(?![a-z0-9])"
        rf"|low[_-]?res|(?:^|/){_factor(scale)}(?:$|/)|(?:^|/)(?:train|val|valid|test)[_-]?l(?:$|/)"
    )


_WORDS: Mapping[Label, Sequence[str]] = {
    "train": ("train", "training", "trainh", "trainl"),
    "val": ("val", "valid", "validation", "valh", "vall", "validh", "validl"),
    "test": ("test", "testing", "testh", "testl"),
}
# What the field trains on and what it never does.
_SETS: Mapping[Label, Sequence[str]] = {
    "train": ("flickr2k", "df2k", "t91", "general100", "ost", "bsds200"),
    "val": ("set5", "set14", "bsd100", "bsds100", "b100", "urban100", "manga109"),
}


@dataclass(frozen=True)
class Pairing:
    """A folder of HR, the folder of its LR where there is one, and by fewer than how many pixels HR may exceed it."""

    hr: str
    lr: str | None
    slack: int


@dataclass(frozen=True)
class Layout:
    """What a rule was found for.

    Attributes:
        pairings: Of HR and LR.
        unused: Why other folders that are known are not used, by their paths.
    """

    pairings: tuple[Pairing, ...]
    unused: Mapping[str, str]


@dataclass(frozen=True)
class _Candidate:
    """A folder of HR and the folders of LR that could belong to it, best first."""

    hr: str
    kind: str
    sub: str
    key: tuple[str, ...]
    lr: tuple[str, ...]


def recognise(folders: Collection[str], scale: int = DEFAULT_SCALE) -> Layout:
    """Find what belongs together by the first rule that says so.

    Args:
        folders: The paths of all folders that directly hold pictures; the empty one is the folder that is given.
        scale: Of the LR that is wanted.

    Returns:
        The pairings, sorted by HR; none where no rule holds.
    """
    lowered = {folder.lower(): folder for folder in sorted(folders)}
    pairings: dict[str, Pairing] = {}
    unused: dict[str, str] = {}
    whole: set[str] = set()  # what holds one set, which is found already
    for rule, hr, lr in _compiled(scale):
        free = [each for each in lowered if each not in unused and not _taken(each, pairings)]
        for best, others in _chosen(_candidates(hr, lr, free, scale)):
            above, name, _ = best.key
            if not (best.lr or (rule.alone and not (rule.top_is_free and "" in lowered))):
                continue
            if not name and above in whole:
                unused |= {each.hr: OTHER_HR for each in (best, *others) if each.hr}
                continue
            whole |= set() if name else {above}
            given = lowered[best.lr[0]] if best.lr else None
            pairings[best.hr] = Pairing(lowered[best.hr], given, max(scale, rule.slack))
            unused |= dict.fromkeys(best.lr[1:], OTHER_LR)
            for other in others:
                unused[other.hr] = OTHER_HR
                unused |= {each: OTHER_LR for each in other.lr if each not in best.lr}
    return Layout(tuple(pairings[hr] for hr in sorted(pairings)), {lowered[each]: why for each, why in unused.items()})


def label_of(folder: str) -> Label | None:
    """Return what the name of a folder, or of one above it, says that its pictures are for; None for nothing."""
    words = set(re.split(r"[/_\W]+", folder.lower()))
    for table in (_WORDS, _SETS):
        for label, names in table.items():
            if words & set(names):
                return label
    return None


def is_lr(folder: str, scale: int = DEFAULT_SCALE) -> bool:
    """Return whether a folder is named like one of LR, of this scale or of whichever."""
    return bool(_lr_word(scale).search(folder.lower()))


def is_usual_lr(folder: str, scale: int = DEFAULT_SCALE) -> bool:
    """Return whether a folder, by its name or its last two, is called as LR of a scale is in most layouts."""
    *_, lr = _compiled(scale)[0]
    return lr is not None and bool(lr.fullmatch(folder.lower()))


def other_form(folder: str, scale: int = DEFAULT_SCALE) -> str | None:
    """Return why the pictures of a folder are of no use by its name, being of another scale or degradation, or None."""
    lowered = folder.lower()
    if _other_scale(scale).search(lowered):
        return not_of_scale(scale)
    return OTHER_DEGRADATION if is_lr(lowered, scale) and _OTHER_DEGRADATION.search(lowered) else None


def not_of_scale(scale: int) -> str:
    """Return why pictures whose name says another scale are left out."""
    return f"of another scale than x{scale}"


def _taken(folder: str, pairings: Mapping[str, Pairing]) -> bool:
    return folder in pairings or any(each.lr is not None and each.lr.lower() == folder for each in pairings.values())


def _candidates(
    hr: re.Pattern[str], lr: re.Pattern[str] | None, folders: Sequence[str], scale: int
) -> list[_Candidate]:
    """Return every folder that a rule has for HR, with its folders of LR."""
    lr_keys = {folder: _key(match) for folder in folders if lr and (match := lr.fullmatch(folder))}
    preference = functools.partial(_by_preference, scale=scale)
    found = []
    for folder in folders:
        match = hr.fullmatch(folder)
        if match is None or other_form(folder, scale):
            continue
        key = _key(match)
        suited = sorted((each for each, of in lr_keys.items() if of == key and each != folder), key=preference)
        sub = match.groupdict().get("sub") or ""
        found.append(_Candidate(folder, match["kind"], sub, key, tuple(suited)))
    return found


def _chosen(candidates: Sequence[_Candidate]) -> list[tuple[_Candidate, list[_Candidate]]]:
    """Return the candidate to use of every set, and the others: with LR before without, whole before sub-images."""
    sets: dict[tuple[str, ...], list[_Candidate]] = {}
    for each in candidates:
        sets.setdefault(each.key[:2], []).append(each)
    ranked = [
        sorted(
            each,
            key=lambda one: (
                not one.lr,
                one.sub,
                _KINDS.index(one.kind) if one.kind in _KINDS else len(_KINDS),
                len(one.hr),
                one.hr,
            ),
        )
        for each in sets.values()
    ]
    return [(best, others) for best, *others in ranked]


def _key(match: re.Match[str]) -> tuple[str, ...]:
    groups = match.groupdict()
    return tuple(groups.get(name) or "" for name in _GROUPS)


def _by_preference(folder: str, scale: int) -> tuple[bool, bool, str]:
    """Sort LR folders: those that say the scale before those that do not, then those that say bicubic."""
    return not re.search(_factor(scale), folder), not re.search(r"bic|bi(?![a-z])", folder), folder

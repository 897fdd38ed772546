"""Pictures of every mode, size, depth and name, with whatever pictures carry, whole and broken."""

from typing import Any

from fuzz_broken import Draw, broken
from fuzz_case import OUT, Case
from fuzz_files import MODES, SUFFIXES, Look, deep_png, exif, onnx_file, picture, srgb_profile, tiff
from hypothesis import strategies as st

from sr.config import PICTURE_FORMATS

_NAMES = ("a", "a b", "ä", "a\nb", "%s", ".a", "a_x4", "-a", "CON", "\udcff", "a.png", "[1]", "~", "a,b", "#",
          "写" * 60, "x" * 200, "'", "$HOME", "\\", "*")  # fmt: skip
_SIDES = st.one_of(st.integers(1, 12), st.integers(1, 70), st.sampled_from((1, 16, 255, 256, 300)))
_SEEDS = st.integers(0, 2**16)


def _some_picture(draw: Draw) -> tuple[str, bytes]:
    """Return the ending and the content of a picture."""
    frames = draw(st.sampled_from((1, 1, 1, 2, 3)))
    look = Look(draw(st.sampled_from(tuple(MODES))), draw(_SIDES), draw(_SIDES), draw(_SEEDS), frames)
    way = draw(st.sampled_from(("pillow", "pillow", "pillow", "deep", "tiff")))
    if way == "deep":
        return ".png", broken(draw, deep_png(look, draw(st.integers(1, 4))))
    if way == "tiff":
        channels = draw(st.integers(1, 5))
        dtype = draw(st.sampled_from(("uint8", "uint16", "int16", "uint32", "float32", "float64")))
        options = {"byteorder": draw(st.sampled_from("<>")), "compression": draw(st.sampled_from((None, "zlib")))}
        if channels > 2:
            options["planarconfig"] = draw(st.sampled_from(("contig", "separate")))
        return ".tif", broken(draw, tiff(look, channels, dtype, **options))
    kind = draw(st.sampled_from(tuple(SUFFIXES)))
    return SUFFIXES[kind], broken(draw, picture(look, kind, _carried(draw, frames)))


def _carried(draw: Draw, frames: int) -> dict[str, Any]:
    """Return what a picture carries, as Pillow takes it."""
    options: dict[str, Any] = {}
    if draw(st.booleans()):
        options["icc_profile"] = draw(st.one_of(st.just(srgb_profile()), st.binary(max_size=200)))
    if draw(st.booleans()):
        options["exif"] = draw(st.one_of(st.integers(0, 65535).map(exif), st.binary(max_size=60)))
    if draw(st.booleans()):
        options["dpi"] = draw(st.sampled_from(((72, 72), (0, 0), (1e6, 0.1))))
    if draw(st.booleans()):
        options["transparency"] = draw(st.sampled_from((0, 300, b"\0\x80", (1, 2, 3))))
    if frames > 1:
        options |= {"duration": draw(st.sampled_from((0, 7, 100_000))), "loop": draw(st.sampled_from((0, 3)))}
    return options


def _name(draw: Draw, suffix: str) -> str:
    text = st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=8)
    name = draw(st.one_of(st.sampled_from(_NAMES), text))
    suffix = draw(st.sampled_from((suffix, suffix, suffix, suffix.upper(), ".png", ".jpg", "")))
    # So that it is no folder, and not the name of both.
    return f"{name}{suffix}" if name + suffix not in (".", "..") else "a"


def _upscale_flags(draw: Draw) -> list[str]:
    flags: list[str] = []
    if draw(st.booleans()):
        flags += ["--format", draw(st.sampled_from(PICTURE_FORMATS))]
        if flags[-1] in ("jpg", "webp") and draw(st.booleans()):
            flags += ["--quality-level", draw(st.sampled_from(("1", "50", "100")))]
    if draw(st.booleans()):
        flags += ["--tile", draw(st.sampled_from(("0", "16", "64")))]
    more = (["--to-srgb"], ["--recursive"], ["--skip-existing"], ["--max-pixels", "1000"])
    return flags + [each for flag in more if not draw(st.integers(0, 3)) for each in flag]


@st.composite
def pictures(draw: Draw) -> Case:
    """Draw pictures of every kind, by name or by their folder."""
    files = {"in/net.onnx": onnx_file()}
    folder = draw(st.sampled_from(("in/p", "in/p", "in/p,q", "in/HR")))
    for _ in range(draw(st.integers(1, 3))):
        suffix, content = _some_picture(draw)
        below = draw(st.sampled_from(("", "", "", "sub/", "LRx4/")))
        files[f"{folder}/{below}{_name(draw, suffix)}"] = content
    if draw(st.booleans()):
        given = [folder] if draw(st.booleans()) else [name for name in files if name.startswith(folder)]
        argv = ["in/net.onnx", *given, "--device", "cpu", *_upscale_flags(draw), "--out", OUT]
        return Case("pictures", "sr.upscale", tuple(argv), files)
    more = ["--recursive"] if draw(st.booleans()) else []
    argv = ["in/net.onnx", "--device", "cpu", "--val", folder, *more, "--json", f"{OUT}/quality.json"]
    return Case("pictures", "sr.evaluate", tuple(argv), files)

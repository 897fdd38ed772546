"""JPEG, WebP, GIF and animated PNG, which Pillow writes from whole frames of 8 bits in memory."""

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import Blend, Disposal, PngInfo

from sr.pictures.picture import FrameRows, Metadata
from sr.pictures.png import carried

JPEG_QUALITY = 95
_EXIF_HEAD = b"Exif\0\0"
# What a marker of JPEG holds, less the names in front.
_JPEG_SEGMENT_BYTES = 65_000
# In chunks that Pillow writes from arguments of its own, not from the list of chunks.
_OWN_CHUNKS = {b"iCCP", b"pHYs", b"eXIf"}
_DEFAULT_MILLISECONDS = 100.0
# GIF pixels are either: from here on they are opaque.
_OPAQUE_FROM = 128
_RESTORE_BACKGROUND = 2


def write_jpeg(handle: BinaryIO, frame: FrameRows, metadata: Metadata, quality: int | None) -> None:
    """Write one frame of grey or RGB, colours at full resolution."""
    options = _options(metadata)
    if metadata.dpi is not None:
        options["dpi"] = tuple(round(each) for each in metadata.dpi)
    if metadata.text:
        options["comment"] = jpeg_comment(metadata)
    options = {key: value for key, value in options.items() if key not in too_long_for_jpeg(metadata)}
    _image(frame).save(handle, "JPEG", quality=JPEG_QUALITY if quality is None else quality, subsampling=0, **options)


def too_long_for_jpeg(metadata: Metadata) -> tuple[str, ...]:
    """Return what of "exif", "xmp" and "comment" no marker of JPEG holds."""
    sizes = {"exif": metadata.exif, "xmp": metadata.xmp, "comment": jpeg_comment(metadata)}
    return tuple(name for name, content in sizes.items() if content and len(content) > _JPEG_SEGMENT_BYTES)


def jpeg_comment(metadata: Metadata) -> bytes:
    """Return the texts of a picture as the one comment that a JPEG has; a comment alone as it is."""
    if [key for key, _ in metadata.text] == ["Comment"]:
        return metadata.text[0][1].encode("utf-8", "replace")
    return "\n".join(f"{key}: {text}" for key, text in metadata.text).encode("utf-8", "replace")


def write_webp(handle: BinaryIO, frames: Iterable[FrameRows], metadata: Metadata, quality: int | None) -> None:
    """Write one frame or an animation: without loss, the colours under full transparency too, or at a quality."""
    options = _options(metadata)
    options |= {"lossless": True, "exact": True} if quality is None else {"quality": quality, "alpha_quality": 100}
    images, durations = _whole(frames)
    if len(images) == 1:
        images[0].save(handle, "WEBP", **options)
        return
    options.pop("exact", None)
    images[0].save(
        handle, "WEBP", save_all=True, append_images=images[1:], duration=durations, loop=metadata.plays, **options
    )


def write_animated_png(handle: BinaryIO, frames: Iterable[FrameRows], metadata: Metadata) -> None:
    """Write an animation, each frame in place of the one before it."""
    options = _options(metadata)
    options.pop("xmp", None)
    info = PngInfo()
    for kind, content in carried(metadata):
        if kind not in _OWN_CHUNKS:
            info.add(kind, content)
    images, durations = _whole(frames)
    images[0].save(
        handle, "PNG", save_all=True, append_images=images[1:], duration=durations, loop=metadata.plays, pnginfo=info,
        disposal=Disposal.OP_NONE, blend=Blend.OP_SOURCE, **({"dpi": metadata.dpi} if metadata.dpi else {}), **options,
    )  # fmt: skip


def write_gif(handle: BinaryIO, frames: Iterable[FrameRows], metadata: Metadata) -> None:
    """Write an animation: 256 colours a frame, each pixel opaque or not."""
    images, durations = _whole(_without_half_tones(frames))
    # It counts repetitions, and plays once without a count.
    options: dict[str, Any] = {} if metadata.plays == 1 else {"loop": max(0, metadata.plays - 1)}
    if metadata.text:
        options["comment"] = jpeg_comment(metadata)
    images[0].save(
        handle, "GIF", save_all=True, append_images=images[1:], duration=durations, disposal=_RESTORE_BACKGROUND,
        optimize=False, **options,
    )  # fmt: skip


def _without_half_tones(frames: Iterable[FrameRows]) -> Iterator[FrameRows]:
    for frame in frames:
        pixels = frame.whole()
        if frame.layout.has_alpha:
            pixels[..., -1] = np.where(pixels[..., -1] >= _OPAQUE_FROM, 255, 0)
        yield FrameRows(frame.layout, [pixels], frame.milliseconds)


def _options(metadata: Metadata) -> dict[str, Any]:
    """Return Pillow's arguments for what formats carry alike."""
    options: dict[str, Any] = {"icc_profile": metadata.icc, "xmp": metadata.xmp}
    if metadata.exif is not None:
        options["exif"] = _EXIF_HEAD + metadata.exif
    return {key: value for key, value in options.items() if value is not None}


def _whole(frames: Iterable[FrameRows]) -> tuple[list[Image.Image], list[int]]:
    """Return frames as Pillow takes them, and for how many milliseconds each is shown."""
    images, durations = [], []
    ended = 0.0
    for frame in frames:
        images.append(_image(frame))
        began, ended = ended, ended + (frame.milliseconds if frame.milliseconds > 0 else _DEFAULT_MILLISECONDS)
        # Rounded where they end, so that the sum stays.
        durations.append(round(ended) - round(began))
    return images, durations


def _image(frame: FrameRows) -> Image.Image:
    pixels = frame.whole()
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def frame_bytes(frame: FrameRows) -> int:
    """Return what writing a frame takes: the array, and Pillow's copy of 4 bytes a pixel."""
    return frame.layout.total_bytes + 4 * frame.layout.height * frame.layout.width

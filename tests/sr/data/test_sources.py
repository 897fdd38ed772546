import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sr.data.degradation import degrade
from sr.data.images import read_picture
from sr.data.manifest import write_manifests
from sr.data.pairs import same_pictures
from sr.data.sources import EMBEDDED, holds_validation, load_pairs, load_set, sources
from sr.errors import InputError
from sr.progress import Event, Message


def save(path: Path, height: int, width: int, seed: int = 0) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def silent(event: Event) -> None:
    raise AssertionError(f"nothing was to be reported, got {event!r}")


def asides(events: list[Event]) -> list[str]:
    """Return the lines of what was reported, all of it beside the result."""
    assert all(isinstance(event, Message) and event.aside for event in events)
    return [event.text for event in events if isinstance(event, Message)]


def test_the_embedded_photographs() -> None:
    train, val = (load_pairs(None, part, report=silent) for part in ("train", "val"))
    assert (len(train), len(val)) == (6, 3)
    assert set(EMBEDDED["train"]).isdisjoint(EMBEDDED["val"])
    assert same_pictures(train, val) == []
    lr, hr = val.pair(0)
    assert (lr.shape, hr.shape) == ((1, 3, 75, 112), (1, 3, 300, 448))


def test_a_plain_folder_makes_lr(tmp_path: Path) -> None:
    pixels = save(tmp_path / "b.png", 18, 25)
    save(tmp_path / "a.png", 8, 8)
    pairs = load_pairs(tmp_path, "train", report=silent)
    assert pairs.names == ("a", "b")
    lr, hr = pairs.pair(1)
    assert np.array_equal(hr[0].permute(1, 2, 0).numpy(), pixels[:16, :24])
    assert np.array_equal((lr[0] * 255).round().byte().permute(1, 2, 0).numpy(), degrade(pixels))


@pytest.mark.parametrize("scale", [2, 3])
def test_lr_of_another_scale_is_made_or_taken(tmp_path: Path, scale: int) -> None:
    height, width = 4 * scale, 5 * scale
    made = save(tmp_path / "made" / "a.png", height + 1, width + 1)
    pairs = load_pairs(tmp_path / "made", "train", report=silent, scale=scale)
    assert pairs.scale == scale
    assert np.array_equal(pairs.hr.picture(0).numpy(), made[:height, :width])
    assert np.array_equal(pairs.lr.picture(0).numpy(), degrade(made, scale))

    save(tmp_path / "given" / "HR" / "a.png", height + 1, width)
    given = save(tmp_path / "given" / "LR_bicubic" / f"X{scale}" / f"ax{scale}.png", 4, 5, seed=1)
    save(tmp_path / "given" / "LR_bicubic" / "X4" / "ax4.png", 2, 2)
    events: list[Event] = []
    pairs = load_pairs(tmp_path / "given", "val", report=events.append, scale=scale)
    assert np.array_equal(pairs.lr.picture(0).numpy(), given)
    assert asides(events) == [
        f"left out 1: 1 of another scale than x{scale} (X4)",
        f"cropped 1 HR to {scale} times their LR (a {width}x{height + 1} to {width}x{height})",
    ]


@pytest.mark.parametrize(("scale", "share"), [(2, "half"), (3, "a third"), (4, "a quarter")])
def test_lr_of_another_size_than_the_scale_says_is_named(tmp_path: Path, scale: int, share: str) -> None:
    save(tmp_path / "HR" / "a.png", 24, 24)
    save(tmp_path / "LR" / "a.png", 13, 13)
    with pytest.raises(InputError, match=rf"1 whose LR is not {share} of HR \(a\.png: 13x13 for 24x24\)"):
        load_pairs(tmp_path, "val", report=silent, scale=scale)


def test_given_pairs_are_used_as_they_are(tmp_path: Path) -> None:
    save(tmp_path / "HR" / "a.png", 16, 24)
    given = save(tmp_path / "LRx4" / "a.png", 4, 6, seed=1)
    for folder in (tmp_path, str(tmp_path)):
        pairs = load_pairs(folder, "val", report=silent)
        assert np.array_equal(pairs.lr.picture(0).numpy(), given)


def test_set5(shared: Path) -> None:
    pairs = load_pairs(shared / "data" / "Set5", "val", report=silent)
    assert len(pairs) == 5
    for index in range(5):
        assert np.array_equal(pairs.lr.picture(index).numpy(), degrade(pairs.hr.picture(index).numpy()))


@pytest.mark.parametrize("scale", [2, 3])
def test_set5_at_a_scale_that_it_has_no_lr_of(shared: Path, scale: int) -> None:
    events: list[Event] = []
    pairs = load_pairs(shared / "data" / "Set5", "val", report=events.append, scale=scale)
    assert asides(events) == [f"left out 5: 5 of another scale than x{scale} (LRx4)"]
    assert len(pairs) == 5
    for index in range(5):
        assert np.array_equal(pairs.lr.picture(index).numpy(), degrade(pairs.hr.picture(index).numpy(), scale))


def test_div2k_is_known_by_its_layout(tmp_path: Path) -> None:
    save(tmp_path / "DIV2K_train_HR" / "0001.png", 16, 24)
    given = save(tmp_path / "DIV2K_train_LR_bicubic" / "X4" / "0001x4.png", 4, 6, seed=1)
    pixels = save(tmp_path / "DIV2K_valid_HR" / "0801.png", 8, 12, seed=2)
    train, val = (load_pairs(tmp_path, part, report=silent) for part in ("train", "val"))
    assert (train.names, val.names) == (("0001",), ("0801",))
    assert np.array_equal(train.lr.picture(0).numpy(), given)
    assert np.array_equal(val.lr.picture(0).numpy(), degrade(pixels))
    shutil.rmtree(tmp_path / "DIV2K_valid_HR")
    with pytest.raises(InputError, match="DIV2K_valid_HR"):
        load_pairs(tmp_path, "val", report=silent)


def test_what_pillow_mends_in_a_picture_is_not_warned_of(tmp_path: Path) -> None:
    # The first of five tags is missing, which Pillow warns of where the orientation is looked for.
    Image.new("RGB", (64, 64)).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0")
    with pytest.raises(InputError, match="Corrupt EXIF"):
        # As the suite takes warnings for errors.
        read_picture(tmp_path / "a.jpg")
    assert load_pairs(tmp_path, "train").names == ("a",)


def test_everything_left_out_is_counted_and_named_in_one_line(tmp_path: Path) -> None:
    for name, lr_height in (("broken", 4), ("fits", 4), ("misfit", 5)):
        save(tmp_path / "HR" / f"{name}.png", 16, 24)
        save(tmp_path / "LRx4" / f"{name}.png", lr_height, 6)
    save(tmp_path / "HR" / "alone.png", 16, 24)
    save(tmp_path / "HR" / "small.png", 12, 12)
    save(tmp_path / "LRx4" / "small.png", 3, 3)
    save(tmp_path / "LRx4" / "other.png", 4, 6)
    save(tmp_path / "LRx2" / "fits.png", 8, 12)
    save(tmp_path / "HR" / "fits.gif", 16, 24)
    save(tmp_path / "preview.png", 16, 24)
    (tmp_path / "HR" / "notes.txt").touch()
    (tmp_path / "HR" / "._fits.png").touch()
    broken = tmp_path / "HR" / "broken.png"
    broken.write_bytes(broken.read_bytes()[:300])
    events: list[Event] = []
    found = load_set(tmp_path, "train", minimum_lr_side=4, report=events.append)
    assert found.pairs.names == ("fits",)
    (line,) = asides(events)
    assert line.startswith("left out 10: ")
    for part in (
        "1 without LR (alone.png)",
        "1 LR without HR (other.png)",
        "1 whose LR is not a quarter of HR (misfit.png: 6x5 for 24x16)",
        "1 too small for patches of 4 (small.png: 12x12)",
        "1 unreadable (broken.png: ",
        "1 of an extension that is read only where a file is named (fits.gif)",
        "1 no picture (notes.txt)",
        "1 hidden (._fits.png)",
        "1 of another scale than x4 (LRx2)",
        "1 outside the folders of the layout (preview.png)",
    ):
        assert part in line
    assert "\n" not in line
    assert sum(each.count for each in found.manifest.left_out) == 10


def test_nothing_usable_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pictures in"):
        load_pairs(tmp_path, "train", report=silent)
    with pytest.raises(InputError, match="no folder at"):
        load_pairs(tmp_path / "absent", "train", report=silent)
    save(tmp_path / "a.png", 8, 8)
    (tmp_path / "b.png").write_text("not a picture")
    why = (
        r"no usable picture to train on in .*: left out 2: 1 too small for patches of 10 \(a\.png: 8x8\), 1 unreadable"
    )
    with pytest.raises(InputError, match=why):
        load_pairs(tmp_path, "train", minimum_lr_side=10, report=silent)
    save(tmp_path / "pairs" / "HR" / "a.png", 16, 16)
    save(tmp_path / "pairs" / "LRx4" / "b.png", 4, 4)
    with pytest.raises(InputError, match=r"1 without LR \(a\.png\), 1 LR without HR \(b\.png\)"):
        load_pairs(tmp_path / "pairs", "val", report=silent)


def test_a_broken_header_is_named_too(tmp_path: Path) -> None:
    save(tmp_path / "a.png", 8, 8)
    (tmp_path / "b.png").write_text("not a picture")
    events: list[Event] = []
    assert load_pairs(tmp_path, "train", report=events.append).names == ("a",)
    assert asides(events) == ["left out 1: 1 unreadable (b.png: it is in no picture format known here)"]


def test_hr_beyond_4_times_lr_is_cropped_and_said_once(tmp_path: Path) -> None:
    """Of 19x25, LR is 4x6 of the cropped picture, or MATLAB's 5x7 of the whole one."""
    given, hr = {}, {}
    for name, height, width in (("cropped", 4, 6), ("rounded", 5, 7), ("exact", 4, 6)):
        hr[name] = save(tmp_path / "HR" / f"{name}.png", *((16, 24) if name == "exact" else (19, 25)))
        given[name] = save(tmp_path / "LR_bicubic" / "X4" / f"{name}x4.png", height, width, seed=1)
    events: list[Event] = []
    found = load_set(tmp_path, "val", report=events.append)
    assert asides(events) == ["cropped 2 HR to 4 times their LR (cropped 25x19 to 24x16, rounded 25x19 to 24x16)"]
    for index, name in enumerate(found.pairs.names):
        assert np.array_equal(found.pairs.lr.picture(index).numpy(), given[name][:4, :6])
        assert np.array_equal(found.pairs.hr.picture(index).numpy(), hr[name][:16, :24])


@pytest.mark.parametrize(("height", "usable"), [(13, True), (12, False), (20, False)])
def test_hr_is_cropped_by_fewer_than_4_pixels_only(tmp_path: Path, height: int, usable: bool) -> None:
    """LR of 4 is of 16: 20 is 4 too many, 12 is 4 too few, 13 fits MATLAB's rounding."""
    save(tmp_path / "HR" / "a.png", 16, 16)
    save(tmp_path / "LRx4" / "a.png", 4, 4)
    save(tmp_path / "HR" / "b.png", height, 16)
    save(tmp_path / "LRx4" / "b.png", 4, 4)
    events: list[Event] = []
    assert load_pairs(tmp_path, "val", report=events.append).names == (("a", "b") if usable else ("a",))
    assert ("b 16x13 to 16x12" if usable else f"b.png: 4x4 for 16x{height}") in asides(events)[0]


def test_originals_of_basicsr_are_cropped_to_multiples_of_12(tmp_path: Path) -> None:
    hr = save(tmp_path / "original" / "a.png", 35, 47)
    save(tmp_path / "LRbicx4" / "a.png", 6, 9)
    events: list[Event] = []
    pairs = load_pairs(tmp_path, "val", report=events.append)
    assert np.array_equal(pairs.hr.picture(0).numpy(), hr[:24, :36])
    assert asides(events) == ["cropped 1 HR to 4 times their LR (a 47x35 to 36x24)"]


def test_several_folders_are_one_set_of_names_of_their_own(tmp_path: Path) -> None:
    save(tmp_path / "DIV2K" / "DIV2K_train_HR" / "0001.png", 16, 16, seed=1)
    save(tmp_path / "Flickr2K" / "Flickr2K_HR" / "0001.png", 16, 16, seed=2)
    save(tmp_path / "mine" / "x.png", 16, 16, seed=3)
    folders = [tmp_path / name for name in ("DIV2K", "Flickr2K", "mine")]
    expected = ("DIV2K/DIV2K_train_HR/0001", "Flickr2K/Flickr2K_HR/0001", "x")
    for given in (folders, ",".join(map(str, folders)), Path(",".join(map(str, folders)))):
        assert load_pairs(given, "train", report=silent).names == expected
    assert load_pairs(tmp_path / "DIV2K", "train", report=silent).names == ("0001",)


def test_the_same_file_given_twice_counts_once(tmp_path: Path) -> None:
    save(tmp_path / "a" / "x.png", 16, 16)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "y.png").symlink_to(tmp_path / "a" / "x.png")
    events: list[Event] = []
    pairs = load_pairs([tmp_path / "a", tmp_path / "b", tmp_path / "a"], "train", report=events.append)
    assert pairs.names == ("x",)
    assert asides(events) == ["left out 2: 2 given twice (y.png, x.png)"]


def test_parts_are_taken_for_what_they_are(tmp_path: Path) -> None:
    for name in ("train/a", "val/b", "test/c"):
        save(tmp_path / f"{name}.png", 16, 16)
    assert load_pairs(tmp_path, "train", report=silent).names == ("a",)
    assert load_pairs(tmp_path, "val", report=silent).names == ("b",)
    assert holds_validation(tmp_path)
    shutil.rmtree(tmp_path / "val")
    assert load_pairs(tmp_path, "val", report=silent).names == ("c",)
    assert not holds_validation(tmp_path)
    assert not holds_validation(tmp_path / "train")


def test_a_place_without_the_part_is_named(tmp_path: Path) -> None:
    save(tmp_path / "DIV2K" / "DIV2K_valid_HR" / "0801.png", 16, 16)
    save(tmp_path / "Flickr2K" / "Flickr2K_HR" / "1.png", 16, 16)
    events: list[Event] = []
    assert load_pairs([tmp_path / "DIV2K", tmp_path / "Flickr2K"], "val", report=events.append).names == ("0801",)
    assert asides(events) == [f"{tmp_path / 'Flickr2K'} holds nothing to validate on and is not used"]


def test_a_list_of_basicsr_is_read_with_the_lr_beside(tmp_path: Path) -> None:
    for name in ("0001_s001", "0001_s002", "0001_s003"):
        save(tmp_path / "DIV2K_train_HR_sub" / f"{name}.png", 16, 16)
        save(tmp_path / "DIV2K_train_LR_bicubic" / "X4_sub" / f"{name}.png", 4, 4, seed=5)
    (tmp_path / "list.txt").write_text("DIV2K_train_HR_sub/0001_s003.png (16,16,3)\nDIV2K_train_HR_sub/0001_s001.png\n")
    events: list[Event] = []
    found = load_set(tmp_path / "list.txt", "train", report=events.append)
    assert found.pairs.names == ("0001_s003", "0001_s001")
    assert [each.lr and each.lr.parent.name for each in found.manifest.used] == ["X4_sub", "X4_sub"]
    (line,) = asides(events)
    assert "is read from" in line


@pytest.mark.parametrize("suffix", ["gif", "jfif", "ppm", "avif", "tga", "png"])
def test_a_picture_that_is_named_is_read_whatever_its_extension(tmp_path: Path, suffix: str) -> None:
    save(tmp_path / f"a.{suffix}", 16, 24)
    (tmp_path / "list.txt").write_text(f"a.{suffix}\n")
    for given in (tmp_path / f"a.{suffix}", tmp_path / "list.txt"):
        lr, _ = load_pairs(given, "val", report=silent).pair(0)
        assert lr.shape == (1, 3, 4, 6)


def test_sources_are_the_files_without_decoding(tmp_path: Path) -> None:
    (tmp_path / "a.png").parent.mkdir(exist_ok=True)
    for name in ("a.png", "b.png", "x.txt"):
        (tmp_path / name).touch()
    events: list[Event] = []
    assert [each.hr.name for each in sources(tmp_path, "train", events.append)] == ["a.png", "b.png"]
    assert asides(events) == ["left out 1: 1 no picture (x.txt)"]


def test_over_the_memory_limit_the_pixels_are_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(40):
        save(tmp_path / "pictures" / f"{index:02}.png", 16 + index, 24, seed=index)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    mapped, held = (
        load_pairs(tmp_path / "pictures", "train", report=silent, memory_limit=limit) for limit in (0, None)
    )
    assert mapped.hr.values.untyped_storage().is_shared()
    assert not held.hr.values.untyped_storage().is_shared()
    assert not list((tmp_path / "temporary").iterdir())
    assert mapped.names == held.names
    assert torch.equal(mapped.hr.values, held.hr.values)
    draws = [pairs.patches(8, 4, torch.Generator().manual_seed(3)) for pairs in (mapped, held)]
    assert torch.equal(draws[0][0], draws[1][0])
    assert torch.equal(draws[0][1], draws[1][1])


def test_a_name_of_bytes_that_are_no_text_is_read_and_written_as_escapes(tmp_path: Path) -> None:
    save(tmp_path / "HR" / "a.png", 16, 16)
    save(tmp_path / "LRx4" / "a.png", 4, 4)
    for side in ("HR", "LRx4"):
        (tmp_path / side / "a.png").rename(os.fsdecode(os.fsencode(tmp_path / side) + b"/\xff.png"))
    events: list[Event] = []
    found = load_set(tmp_path / "HR", "val", report=events.append)
    assert found.pairs.names == ("\\udcff",)
    write_manifests(tmp_path / "pictures.json", val=found.manifest)
    assert "udcff" in (tmp_path / "pictures.json").read_text()
    assert all(line.isprintable() for line in asides(events))

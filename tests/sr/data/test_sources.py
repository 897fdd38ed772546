import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sr.data.degradation import downscale
from sr.data.pairs import same_pictures
from sr.data.sources import EMBEDDED, load_pairs
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
    assert np.array_equal((lr[0] * 255).round().byte().permute(1, 2, 0).numpy(), downscale(pixels))


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
        assert np.array_equal(pairs.lr.picture(index).numpy(), downscale(pairs.hr.picture(index).numpy()))


def test_div2k_is_known_by_its_layout(tmp_path: Path) -> None:
    save(tmp_path / "DIV2K_train_HR" / "0001.png", 16, 24)
    given = save(tmp_path / "DIV2K_train_LR_bicubic" / "X4" / "0001x4.png", 4, 6, seed=1)
    pixels = save(tmp_path / "DIV2K_valid_HR" / "0801.png", 8, 12, seed=2)
    train, val = (load_pairs(tmp_path, part, report=silent) for part in ("train", "val"))
    assert (train.names, val.names) == (("0001",), ("0801",))
    assert np.array_equal(train.lr.picture(0).numpy(), given)
    assert np.array_equal(val.lr.picture(0).numpy(), downscale(pixels))
    shutil.rmtree(tmp_path / "DIV2K_valid_HR")
    with pytest.raises(InputError, match="DIV2K_valid_HR"):
        load_pairs(tmp_path, "val", report=silent)


def test_what_cannot_be_used_is_named_and_skipped(tmp_path: Path) -> None:
    for name, lr_height in (("broken", 4), ("fits", 4), ("misfit", 5)):
        save(tmp_path / "HR" / f"{name}.png", 16, 24)
        save(tmp_path / "LRx4" / f"{name}.png", lr_height, 6)
    save(tmp_path / "HR" / "alone.png", 16, 24)
    save(tmp_path / "HR" / "small.png", 12, 12)
    save(tmp_path / "LRx4" / "small.png", 3, 3)
    broken = tmp_path / "HR" / "broken.png"
    broken.write_bytes(broken.read_bytes()[:300])
    events: list[Event] = []
    pairs = load_pairs(tmp_path, "train", minimum_lr_side=4, report=events.append)
    assert pairs.names == ("fits",)
    for name, why in (
        ("alone", "holds no alone"),
        ("broken", "cannot read the picture"),
        ("misfit", "exactly a quarter of HR, got 6x5"),
        ("small", "at least 16 pixels, got 12x12"),
    ):
        (line,) = [line for line in asides(events) if f"{name}.png" in line.split(":")[0]]
        assert why in line
        assert "\n" not in line
    assert len(events) == 4


def test_a_broken_header_is_named_too(tmp_path: Path) -> None:
    save(tmp_path / "a.png", 8, 8)
    (tmp_path / "b.png").write_text("not a picture")
    events: list[Event] = []
    assert load_pairs(tmp_path, "train", report=events.append).names == ("a",)
    (line,) = asides(events)
    assert "b.png" in line


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pictures in"):
        load_pairs(tmp_path, "train", report=silent)
    with pytest.raises(InputError, match="no folder at"):
        load_pairs(tmp_path / "absent", "train", report=silent)
    save(tmp_path / "a.png", 8, 8)
    events: list[Event] = []
    with pytest.raises(InputError, match="sides of 40 pixels"):
        load_pairs(tmp_path, "train", minimum_lr_side=10, report=events.append)
    assert len(events) == 1


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

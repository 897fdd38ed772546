"""Which pictures were used: listed, written, and compared by a fingerprint."""

import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from sr.data.manifest import write_manifests
from sr.data.sources import load_set
from sr.scale import SCALES


def save(path: Path, height: int, width: int, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)).save(path)


def fingerprint(folder: Path, side: int = 1) -> str:
    return load_set(folder, "train", minimum_lr_side=side).manifest.fingerprint


def small_set(folder: Path) -> Path:
    for index, name in enumerate(("a", "b")):
        save(folder / "HR" / f"{name}.png", 18, 24, index)
        save(folder / "LRx4" / f"{name}.png", 4, 6, index)
    return folder


def test_the_same_pictures_have_the_same_fingerprint_wherever_they_lie(tmp_path: Path) -> None:
    first = fingerprint(small_set(tmp_path / "one"))
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    (tmp_path / "two" / "HR" / "notes.txt").touch()
    assert fingerprint(tmp_path / "two") == first
    assert load_set(None, "val").manifest.fingerprint != first


def test_any_change_of_the_pictures_changes_the_fingerprint(tmp_path: Path) -> None:
    folder = small_set(tmp_path / "set")
    seen = {fingerprint(folder)}
    save(folder / "LRx4" / "b.png", 4, 6, 7)  # one LR
    seen.add(fingerprint(folder))
    save(folder / "HR" / "b.png", 16, 24, 7)  # one HR
    seen.add(fingerprint(folder))
    for side in ("HR", "LRx4"):  # one name
        (folder / side / "b.png").rename(folder / side / "c.png")
    seen.add(fingerprint(folder))
    save(folder / "HR" / "d.png", 16, 24, 8)  # one more
    save(folder / "LRx4" / "d.png", 4, 6, 8)
    seen.add(fingerprint(folder))
    save(folder / "HR" / "d.png", 8, 8, 8)  # one fewer, too small
    save(folder / "LRx4" / "d.png", 2, 2, 8)
    assert fingerprint(folder, side=4) in seen
    shutil.rmtree(folder / "LRx4")  # LR made
    seen.add(fingerprint(folder))
    assert len(seen) == 6


def test_another_scale_makes_another_set_of_the_same_hr(tmp_path: Path) -> None:
    save(tmp_path / "a.png", 24, 24)
    manifests = {scale: load_set(tmp_path, "train", scale=scale).manifest for scale in SCALES}
    assert len({each.fingerprint for each in manifests.values()}) == len(SCALES)
    assert {scale: each.to_json().get("scale") for scale, each in manifests.items()} == {2: 2, 3: 3, 4: None}


def test_everything_is_listed_in_the_file(tmp_path: Path) -> None:
    folder = small_set(tmp_path / "set")
    (folder / "HR" / "x.txt").touch()
    train, val = load_set(folder, "train").manifest, load_set(None, "val").manifest
    write_manifests(tmp_path / "out" / "pictures.json", train=train, val=val)
    written = json.loads((tmp_path / "out" / "pictures.json").read_text())
    assert written == {"train": train.to_json(), "val": val.to_json()}
    a, _ = written["train"]["used"]
    assert len(a.pop("sha256")) == 64
    assert a == {
        "name": "a", "hr": str(folder / "HR" / "a.png"), "lr": str(folder / "LRx4" / "a.png"),
        "width": 24, "height": 16, "cropped_from": "24x18",
    }  # fmt: skip
    assert written["train"]["left_out"] == [
        {"path": str(folder / "HR" / "x.txt"), "reason": "no picture", "detail": "", "count": 1}
    ]
    assert [each["name"] for each in written["val"]["used"]] == ["chelsea", "coffee", "rocket"]
    assert written["val"]["used"][0]["lr"] is None

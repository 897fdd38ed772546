"""What was asked for is kept, and another question is refused in the same folder."""

from dataclasses import replace
from pathlib import Path

import pytest

from prune.asked import begin, check_pictures, keep
from prune.config import PruneConfig
from sr.errors import InputError
from sr.files import write_json

PICTURES = {"train": {"count": 2, "fingerprint": "a"}, "val": {"count": 1, "fingerprint": "b"}}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "net.pth"
    path.write_bytes(b"a network")
    return path


def config(tmp_path: Path) -> PruneConfig:
    return PruneConfig(out=tmp_path / "out", device="cpu")


def begun(checkpoint: Path, asked: PruneConfig) -> PruneConfig:
    keep(asked.out, begin(checkpoint, asked), PICTURES)
    return asked


def test_who_asks_for_the_same_goes_on(checkpoint: Path, tmp_path: Path) -> None:
    asked = begun(checkpoint, config(tmp_path))
    assert begin(checkpoint, replace(asked, resume=True))["seed"] == "0"


def test_who_goes_on_may_take_another_time(checkpoint: Path, tmp_path: Path) -> None:
    asked = begun(checkpoint, config(tmp_path))
    begin(checkpoint, replace(asked, resume=True, time_limit=None))


def test_a_folder_in_use_is_left_alone_unless_going_on_is_asked_for(checkpoint: Path, tmp_path: Path) -> None:
    asked = begun(checkpoint, config(tmp_path))
    with pytest.raises(InputError, match="holds a pruning; go on with --resume"):
        begin(checkpoint, asked)


def test_another_question_is_named(checkpoint: Path, tmp_path: Path) -> None:
    asked = begun(checkpoint, config(tmp_path))
    with pytest.raises(InputError, match=r"holds another pruning \(--batch was 8; --seed was 0\)"):
        begin(checkpoint, replace(asked, seed=7, batch=4, resume=True))


def test_nothing_to_go_on_with_is_named(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no pruning in"):
        begin(checkpoint, replace(config(tmp_path), resume=True))


def test_what_could_not_begin_can_begin_again(checkpoint: Path, tmp_path: Path) -> None:
    for _ in range(2):
        begin(checkpoint, config(tmp_path))


def test_a_checkpoint_that_is_not_there_is_named_with_what_makes_one(tmp_path: Path) -> None:
    path = tmp_path / "absent.pth"
    with pytest.raises(InputError, match=f"python -m baselines.train hcsrn --out {path} makes one"):
        begin(path, config(tmp_path))


@pytest.mark.parametrize("content", ["", "[]"])
def test_a_record_that_is_none_is_named(content: str, checkpoint: Path, tmp_path: Path) -> None:
    asked = begun(checkpoint, config(tmp_path))
    (asked.out / "asked.json").write_text(content)
    with pytest.raises(InputError, match="does not say what was asked for"):
        begin(checkpoint, replace(asked, resume=True))


def test_going_on_takes_the_engine_that_it_began_with(checkpoint: Path, tmp_path: Path) -> None:
    asked = config(tmp_path)
    keep(asked.folder, begin(checkpoint, asked) | {"engine": "openvino"}, PICTURES)
    assert begin(checkpoint, replace(asked, resume=True))["engine"] == "openvino"
    assert begin(checkpoint, replace(asked, engine="openvino", resume=True))["engine"] == "openvino"
    with pytest.raises(InputError, match=r"holds another pruning \(--engine was openvino\)"):
        begin(checkpoint, replace(asked, engine="torch", resume=True))


def test_other_pictures_of_the_same_place_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    asked = replace(begun(checkpoint, config(tmp_path)), resume=True)
    check_pictures(asked, PICTURES)
    other = PICTURES | {"val": {"count": 1, "fingerprint": "c"}}
    with pytest.raises(InputError, match=r"with other pictures: they were .*'b'.* and are now .*'c'.*; give the same"):
        check_pictures(asked, other)


def test_a_pruning_of_an_earlier_version_goes_on_whatever_its_pictures(checkpoint: Path, tmp_path: Path) -> None:
    asked = replace(config(tmp_path), resume=True)
    check_pictures(asked, PICTURES)
    write_json(asked.out / "asked.json", begin(checkpoint, config(tmp_path)))
    check_pictures(asked, PICTURES)

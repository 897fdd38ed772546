"""Files that lie in a bucket, here a folder by its URL: what is kept is fetched, and what is not there is not."""

from pathlib import Path

import pytest

from nas.bucket import Bucket
from sr.errors import InputError


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    made = Bucket(f"file://{tmp_path / 'bucket'}")
    made.mark()
    return made


def left(folder: Path, name: str, content: bytes = b"weights") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def test_what_is_kept_is_fetched_elsewhere_in_the_place_of_what_was(bucket: Bucket, tmp_path: Path) -> None:
    bucket.keep(left(tmp_path / "here", "a.pth"))
    assert bucket.holds("a.pth")
    left(tmp_path / "there", "a.pth", b"older")
    assert bucket.fetch("a.pth", tmp_path / "there").read_bytes() == b"weights"
    bucket.keep(left(tmp_path / "here", "a.pth", b"newer"))
    assert bucket.fetch("a.pth", tmp_path / "there").read_bytes() == b"newer"


def test_what_is_not_there_is_no_file_and_leaves_what_is(bucket: Bucket, tmp_path: Path) -> None:
    assert not bucket.holds("a.pth")
    assert not bucket.fetch("a.pth", tmp_path / "there").exists()


def test_files_of_some_names_are_fetched_and_removed(bucket: Bucket, tmp_path: Path) -> None:
    for name in ("a.pth", "a.inherited.pth", "b.pth", "ab.pth"):
        bucket.keep(left(tmp_path / "here", name))
    bucket.fetch_all({"a", "missing"}, tmp_path / "there")
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["a.inherited.pth", "a.pth"]
    bucket.remove({"a", "missing"})
    assert [name for name in ("a.pth", "a.inherited.pth", "b.pth", "ab.pth") if bucket.holds(name)] == [
        "b.pth",
        "ab.pth",
    ]


def test_who_reaches_a_bucket_finds_its_mark(bucket: Bucket, tmp_path: Path) -> None:
    assert Bucket(bucket.url).is_marked()
    assert not Bucket(f"file://{tmp_path / 'another'}").is_marked()


def test_a_bucket_that_cannot_be_reached_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^--artifacts nothing://bucket cannot be reached: .*nothing"):
        Bucket("nothing://bucket").mark()
    left(tmp_path, "file")
    with pytest.raises(InputError, match=r"^--artifacts file://.*file/below cannot be reached: "):
        Bucket(f"file://{tmp_path / 'file' / 'below'}").mark()

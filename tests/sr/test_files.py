import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr import files
from sr.errors import InputError
from sr.files import as_path, make_folder, replacing, scratch_folder, write_bytes, write_json, write_text

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def test_the_old_content_stays_until_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "report.txt"
    target.write_text("old")
    with replacing(target) as temporary:
        temporary.write_text("new")
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".txt"
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]
    assert target.stat().st_mode & 0o777 == 0o644


def test_an_error_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "report.txt"
    target.write_text("old")

    def fail_half_way() -> None:
        with replacing(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_half_way()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_folders_are_made(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "c.txt", "é\n")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "é\n".encode()


def test_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    write_bytes(tmp_path / "c.bin", b"\x00\r\n\xff")
    assert (tmp_path / "c.bin").read_bytes() == b"\x00\r\n\xff"


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match=r"cannot write .*name a folder that can be written") as caught:
        write_text(tmp_path / "file" / "report.txt", "text")
    assert "\n" not in str(caught.value)


def test_a_folder_in_the_place_of_the_file_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "report.txt").mkdir()
    with pytest.raises(InputError, match="cannot write"):
        write_text(tmp_path / "report.txt", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["report.txt"]


def test_a_full_disk_is_an_input_error(tmp_path: Path) -> None:
    def fail_as_the_disk_does() -> None:
        with replacing(tmp_path / "report.txt"):
            raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match="No space left on device"):
        fail_as_the_disk_does()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_json_holds_finite_numbers_only(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "figures.json", {"psnr": [value]})
    assert list(tmp_path.iterdir()) == []


@given(JSON_VALUES)
def test_json_comes_back(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.getbasetemp() / "round_trip.json"
    write_json(path, value)
    text = path.read_text("utf-8")
    assert text.endswith("\n")
    assert json.loads(text) == value


def test_path_may_be_text_or_a_path() -> None:
    assert as_path("folder/file") == as_path(Path("folder/file")) == Path("folder/file")
    with pytest.raises(InputError, match="a path is text or a path, got 5"):
        as_path(5)  # type: ignore[arg-type]


def test_folder_is_made_with_those_above_it_and_may_be_there(tmp_path: Path) -> None:
    for _ in range(2):
        make_folder(tmp_path / "above" / "folder")
    assert (tmp_path / "above" / "folder").is_dir()


def test_folder_in_place_of_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write .*file: File exists; name a folder"):
        make_folder(tmp_path / "file")


def aged(path: Path) -> Path:
    """Make a file an hour old."""
    hour_ago = path.stat().st_mtime - 3600
    os.utime(path, (hour_ago, hour_ago))
    return path


KILLED = """
import os, signal, sys
from sr.files import replacing
with replacing(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_goes_with_the_next_that_is_written_there(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "report.txt")], check=False)
    (left,) = tmp_path.iterdir()
    assert left.read_text() == "half"
    aged(left)
    write_text(tmp_path / "other.json", "{}")
    assert [path.name for path in tmp_path.iterdir()] == ["other.json"]


def test_what_a_living_process_writes_stays(tmp_path: Path) -> None:
    with replacing(tmp_path / "report.txt") as temporary:
        temporary.write_text("slow")
        aged(temporary)
        files._remove_left.cache_clear()
        write_text(tmp_path / "other.txt", "text")
        assert temporary.read_text() == "slow"
    assert {path.name for path in tmp_path.iterdir()} == {"report.txt", "other.txt"}


def test_what_is_young_or_none_of_ours_stays(tmp_path: Path) -> None:
    young, others = tmp_path / ".a.paretosr-abcd1234.pth", tmp_path / ".a.abcd1234.pth"
    young.touch()
    others.touch()
    aged(others)
    write_text(tmp_path / "other.txt", "text")
    assert young.exists()
    assert others.exists()


def test_scratch_folder_goes_with_its_block_whatever_ends_it(tmp_path: Path) -> None:
    def fail_half_way() -> None:
        with scratch_folder(tmp_path / "in") as folder:
            (folder / "below").mkdir()
            (folder / "below" / "file").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_half_way()
    assert list((tmp_path / "in").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write .*file: .*; name a folder"), scratch_folder(tmp_path / "file"):
        pass


def test_scratch_folder_of_a_killed_process_goes_and_that_of_a_living_one_stays(tmp_path: Path) -> None:
    killed = KILLED.replace("replacing(", "scratch_folder(").replace("import replacing", "import scratch_folder")
    killed = killed.replace("temporary.write_text", '(temporary / "file").write_text')
    subprocess.run([sys.executable, "-c", killed, str(tmp_path)], check=False)
    (left,) = tmp_path.iterdir()
    assert (left / "files" / "file").read_text() == "half"
    before_its_lock = tmp_path / ".scratch.paretosr-abcd1234"
    before_its_lock.mkdir()
    for path in (left, before_its_lock):
        aged(path)
    with scratch_folder(tmp_path) as living:
        assert list(tmp_path.iterdir()) == [living.parent]
        assert list(living.iterdir()) == []
        aged(living.parent)
        files._remove_left.cache_clear()
        write_text(tmp_path / "report.txt", "text")
        assert living.is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["report.txt"]


@pytest.mark.parametrize("name", ["x" * 251 + ".txt", "写" * 83 + ".txt", "a\udcff.txt"])
def test_names_as_long_as_names_may_be_and_of_any_bytes_are_written(name: str, tmp_path: Path) -> None:
    write_text(tmp_path / name, "text")
    assert [path.name for path in tmp_path.iterdir()] == [name]

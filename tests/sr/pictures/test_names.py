"""Which pictures are meant, and what their results are called."""

import os
from pathlib import Path

import pytest

from sr.errors import InputError
from sr.pictures.names import Found, describe, find
from sr.scale import SCALES

OUT = Path("out")


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def results(found: Found) -> dict[str, str]:
    return {planned.source.name: str(planned.stem) for planned in found.planned}


def test_the_pictures_of_a_folder_are_found_and_the_rest_is_counted(tmp_path: Path) -> None:
    touch(tmp_path, "b.PNG", "a.jfif", "notes.txt", "readme", "._a.png", "below/c.png")
    (tmp_path / "folder.png").mkdir()
    found = find([tmp_path], OUT)
    assert results(found) == {"a.jfif": "out/a_x4", "b.PNG": "out/b_x4"}
    assert found.left_out == {"hidden": 1, "of kind .txt": 1, "of kind without a suffix": 1}
    assert describe(found.left_out) == "left out: 1 hidden, 1 of kind .txt, 1 of kind without a suffix"


def test_recursive_finds_those_below_and_keeps_their_folders(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "one/a.png", "one/two/b.png")
    found = find([tmp_path], OUT, recursive=True)
    assert [str(planned.stem) for planned in found.planned] == ["out/a_x4", "out/one/a_x4", "out/one/two/b_x4"]


def test_folders_that_systems_keep_for_themselves_are_counted_and_not_entered(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", ".trash/b.png", "one/@eaDir/c.png", "Thumbs.db")
    found = find([tmp_path, tmp_path / ".trash"], OUT, recursive=True)
    assert results(found) == {"a.png": "out/a_x4", "b.png": "out/b_x4"}
    assert found.left_out == {"hidden": 3}


def test_what_is_left_out_stays_in_its_line_whatever_the_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "notes.a\nb")
    assert describe(find([tmp_path], OUT).left_out) == "left out: 1 of kind .a\\nb"


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    touch(tmp_path, "one/a.png")
    (tmp_path / "one" / "round").symlink_to(tmp_path)
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    found = find([tmp_path], OUT, recursive=True)
    assert results(found) == {"a.png": "out/one/a_x4"}
    assert found.left_out == {"no files": 1}


def test_results_of_an_earlier_run_are_left_alone_in_a_folder_and_taken_where_they_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "a_x4.png", "b.png", "b.jpg", "b.png_x4.png", "c_x4.png")
    found = find([tmp_path], tmp_path)
    assert set(results(found)) == {"a.png", "b.png", "b.jpg", "c_x4.png"}
    assert found.left_out == {"upscaled before": 2}
    assert set(results(find([tmp_path / "a_x4.png"], OUT))) == {"a_x4.png"}


def test_folder_for_results_inside_the_one_that_is_given_is_left_alone(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "below/b.png", "upscaled/a_x4.png", "upscaled/below/b_x4.png", "upscaled too/c.png")
    found = find([tmp_path], tmp_path / "upscaled", recursive=True)
    assert set(results(found)) == {"a.png", "b.png", "c.png"}
    assert found.left_out == {"in the folder for results": 2}
    # Who names it means what is in it.
    for given in (tmp_path / "upscaled", tmp_path / "upscaled" / "below"):
        assert find([given], tmp_path / "upscaled", recursive=True).left_out == {}


@pytest.mark.parametrize("scale", SCALES)
def test_names_say_the_scale_and_results_of_every_scale_are_left_alone(tmp_path: Path, scale: int) -> None:
    touch(tmp_path, "a.png", "a_x2.png", "a_x3.png", "a_x4.png", "b_x2.png")
    found = find([tmp_path], OUT, scale=scale)
    assert results(found) == {"a.png": f"out/a_x{scale}", "b_x2.png": f"out/b_x2_x{scale}"}
    assert found.left_out == {"upscaled before": 3}


def test_the_extension_is_kept_where_two_stems_clash(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "a.jpg", "b.png")
    expected = {"a.jpg": "out/a.jpg_x4", "a.png": "out/a.png_x4", "b.png": "out/b_x4"}
    assert results(find([tmp_path], OUT)) == expected


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "one/a.png", "two/a.png")
    with pytest.raises(InputError, match=r"one/a\.png and .*two/a\.png would both become out/a\.png_x4"):
        find([tmp_path / "one" / "a.png", tmp_path / "two" / "a.png"], OUT)


def test_a_picture_named_twice_is_taken_once(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    found = find([tmp_path, tmp_path / "a.png", tmp_path / "." / "a.png"], OUT)
    assert len(found.planned) == 1
    assert found.left_out == {"named twice": 2}


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt")
    ((folder, reason),) = find([tmp_path], OUT).unreadable
    assert folder == tmp_path
    assert reason.startswith("no pictures in it")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "closed/a.png", "b.png")
    (tmp_path / "closed").chmod(0)
    found = find([tmp_path], OUT, recursive=True)
    (tmp_path / "closed").chmod(0o755)
    assert set(results(found)) == {"b.png"}
    assert found.unreadable == ((tmp_path / "closed", "Permission denied"),)


def test_names_that_no_file_has_are_left_for_reading_to_refuse() -> None:
    names = [Path("no\0name.png"), Path("x" * 5000), Path("missing.png")]
    assert [planned.source for planned in find(names, OUT).planned] == names

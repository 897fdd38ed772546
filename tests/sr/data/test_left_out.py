"""What is left out, in one line."""

from pathlib import Path

from sr.data.left_out import LeftOut, summary


def test_everything_is_counted_and_named_by_reason() -> None:
    left_out = [
        LeftOut(Path("d/a.png"), "too small for patches of 48", "12x12"),
        LeftOut(Path("d/x.txt"), "no picture"),
        LeftOut(Path("d/b.png"), "too small for patches of 48", "20x30"),
        LeftOut(Path("d/X2"), "of another scale than x4", count=800),
    ]
    assert summary(left_out) == (
        "left out 803: 2 too small for patches of 48 (a.png: 12x12, b.png: 20x30), 1 no picture (x.txt), "
        "800 of another scale than x4 (X2)"
    )


def test_of_many_a_few_are_named() -> None:
    assert summary([LeftOut(Path(f"{name}.txt"), "no picture") for name in "abcde"]) == (
        "left out 5: 5 no picture (a.txt, b.txt, c.txt, ...)"
    )


def test_files_of_one_name_are_told_by_their_folders() -> None:
    left_out = [LeftOut(Path(folder, "a.png"), "unreadable") for folder in "de"]
    assert summary(left_out) == f"left out 2: 2 unreadable ({left_out[0].path}, {left_out[1].path})"


def test_nothing_left_out_says_nothing() -> None:
    assert summary([]) == ""


def test_a_name_stays_in_its_line() -> None:
    assert "\n" not in summary([LeftOut(Path("a\nb.png"), "of a doubled name", "a\nb.tif is used")])

"""A flag that answers and ends the command."""

import argparse

import pytest

from baselines.answer import Answer


def test_the_flag_answers_before_anything_is_missed() -> None:
    answers: list[int] = []
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--list", action=Answer, nargs=0, const=lambda flags: answers.append(flags.scale))
    for flags in (["--list"], ["--scale", "2", "--list"]):
        with pytest.raises(SystemExit, match="0"):
            parser.parse_args(flags)
    assert answers == [4, 2]
    assert parser.parse_args(["word"]).name == "word"
    assert answers == [4, 2]

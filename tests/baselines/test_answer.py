"""A flag that answers and ends the command."""

import argparse

import pytest

from baselines.answer import Answer


def test_the_flag_answers_before_anything_is_missed() -> None:
    answers: list[str] = []
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--list", action=Answer, nargs=0, const=lambda: answers.append("said"))
    with pytest.raises(SystemExit, match="0"):
        parser.parse_args(["--list"])
    assert answers == ["said"]
    assert parser.parse_args(["word"]).name == "word"
    assert answers == ["said"]

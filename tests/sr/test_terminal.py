"""What people see of events where nothing can be redrawn; of a screen see test_live_block."""

from collections.abc import Iterator

import pytest

from sr.progress import Message, Phase, Progress, Standing, Step
from sr.terminal import Terminal, be_quiet, say


def step(done: int, *, label: str = "training", note: str = "", ended: bool = False) -> Step:
    return Step(label, done, 4, "step", 0.0 if done == 4 else 20.0, note, ended)


def test_messages_are_lines_and_asides_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    show = Terminal()
    show(Message("a result"))
    show(Message("a warning", aside=True))
    assert capsys.readouterr() == ("a result\n", "a warning\n")


def test_say_prints_where_it_is_told_to(capsys: pytest.CaptureFixture[str]) -> None:
    say("result")
    say("trouble", to_stderr=True)
    assert capsys.readouterr() == ("result\n", "trouble\n")


def test_steps_are_plain_lines_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    show = Terminal(plain_line_seconds=0.0)
    show(step(1))
    show(step(2, note="loss 0.5"))
    show(step(2, ended=True))
    assert capsys.readouterr() == ("", "training: 1/4 step, 20 s left\ntraining: 2/4 step, 20 s left, loss 0.5\n")


def test_what_ends_soon_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("training", 3, report=Terminal()) as progress:
        for _ in range(3):
            progress.step()
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def _quiet() -> Iterator[None]:
    be_quiet(quiet=True)
    yield
    be_quiet(quiet=False)


@pytest.mark.usefixtures("_quiet")
def test_quiet_terminal_shows_warnings_alone_and_results_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    show = Terminal(plain_line_seconds=0.0)
    passing = Message("still at it", aside=True, passing=True)
    for event in (Message("trial 1"), step(1), Phase("measuring"), Standing((("front", "3"),)), passing):
        show(event)
    show(Message("left out 2 pictures", aside=True))
    say("Chosen: trial 1")
    assert capsys.readouterr() == ("Chosen: trial 1\n", "left out 2 pictures\n")

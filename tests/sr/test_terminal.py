"""What people see of events where the output is no terminal, and where it is one."""

from collections.abc import Iterator

import pytest

from sr.progress import Message, Phase, Progress, Step
from sr.terminal import Terminal, be_quiet, say


class Screen:
    """Stands in for a terminal on standard error, and keeps what is written to it."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True


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


def test_on_a_terminal_steps_are_a_bar_that_goes_when_the_work_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    show = Terminal()
    show(step(1))
    assert "training:  25%" in screen.text
    show(step(2, label="the next work"))
    assert "the next work:  50%" in screen.text
    show(step(2, label="the next work", ended=True))
    # The last thing written is an empty line in the place of the bar.
    assert screen.text.rsplit("\r", 2)[1].strip() == ""
    show(step(2, label="the next work", ended=True))


@pytest.fixture
def _quiet() -> Iterator[None]:
    be_quiet(quiet=True)
    yield
    be_quiet(quiet=False)


@pytest.mark.usefixtures("_quiet")
def test_quiet_terminal_shows_warnings_alone_and_results_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    show = Terminal(plain_line_seconds=0.0)
    for event in (Message("trial 1"), step(1), Phase("measuring"), Message("still at it", aside=True, passing=True)):
        show(event)
    show(Message("left out 2 pictures", aside=True))
    say("Chosen: trial 1")
    assert capsys.readouterr() == ("Chosen: trial 1\n", "left out 2 pictures\n")

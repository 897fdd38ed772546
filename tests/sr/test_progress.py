import pytest

from sr import progress
from sr.progress import Progress, duration


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw a plain line at every step."""
    monkeypatch.setattr(progress, "PLAIN_LINE_SECONDS", 0.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.4, "0 s"), (42.4, "42 s"), (59.6, "1 m 00 s"), (185, "3 m 05 s"), (3599.7, "1 h 00 m"),
     (7800, "2 h 10 m"), (360000, "100 h 00 m")],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.usefixtures("always")
def test_plain_lines_tell_the_share_and_the_note(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("training", 4) as shown:
        shown.step(2, "loss 0.5")
        shown.step(2)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert len(lines) == 2
    assert lines[0].startswith("training: 2/4 step, ")
    assert lines[0].endswith(" left, loss 0.5")
    assert lines[1] == "training: 4/4 step, 0 s left"


@pytest.mark.usefixtures("always")
def test_what_was_done_before_counts_as_done(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("reading", 10, "picture", start=6) as shown:
        shown.step()
    assert capsys.readouterr().err.startswith("reading: 7/10 picture, ")
    assert shown.done == 7


def test_the_time_left_is_that_of_the_pace_since_the_start() -> None:
    shown = Progress("training", 100, start=50)
    shown.step(10)
    shown.began -= 20.0
    assert shown.line() == "training: 60/100 step, 1 m 20 s left"


def test_what_ends_soon_draws_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("training", 3) as shown:
        for _ in range(3):
            shown.step()
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("always")
def test_quiet_draws_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("training", 3, quiet=True) as shown:
        shown.step(3)
    assert capsys.readouterr() == ("", "")
    assert shown.done == 3


@pytest.mark.usefixtures("always")
def test_errors_pass_through() -> None:
    def fail() -> None:
        with Progress("training", 3):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

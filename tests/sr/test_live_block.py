"""What a terminal shows of work that goes on: a real pseudo-terminal, and a process of its own in it."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Mapping

import pytest

_BEGINNING = """
import sys, time
from sr.progress import Message, Phase, Standing, Step
from sr.terminal import Terminal, be_quiet, say
show = Terminal()
standing = Standing((("trials", "7 tried"), ("best", "25.35 dB")), time.monotonic() + 90)
def step(done, ended=False):
    return Step("training", done, 4, "step", 20.0, "loss 0.5", ended)
"""
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:[349]\d|10\d)[;m]")
_HIDDEN, _SHOWN = "\x1b[?25l", "\x1b[?25h"


def on_a_screen(code: str, *, stdout: int | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run code with a pseudo-terminal of 100 columns for its output, and return what that was sent."""
    leader, follower = pty.openpty()
    terminal = {"TERM": "xterm", "COLUMNS": "100", **(env or {})}
    process = subprocess.Popen(
        [sys.executable, "-c", _BEGINNING + code], stdout=follower if stdout is None else stdout, stderr=follower,
        stdin=subprocess.DEVNULL, env={**os.environ, **terminal},
    )  # fmt: skip
    os.close(follower)
    sent = bytearray()
    while True:
        try:
            got = os.read(leader, 4096)
        except OSError:
            # Linux's answer once nobody holds the other end.
            break
        if not got:
            break
        sent += got
    os.close(leader)
    assert process.wait() == 0, sent.decode()
    return sent.decode()


def words(sent: str) -> str:
    return re.sub(" +", " ", _CONTROL.sub("", sent))


def test_block_shows_how_work_stands_and_what_is_done_and_lines_stay_above_it() -> None:
    sent = on_a_screen(
        "show(standing); show(step(1)); show(Message('trial 8: 25.40 dB')); show(step(2, True)); show(Standing())"
    )
    assert all(each in words(sent) for each in ("trials 7 tried", "best 25.35 dB", "time left 1 m"))
    assert "training: 1/4 step, 20 s left, loss 0.5" in words(sent)
    after = words(sent[sent.index("trial 8: 25.40 dB") :])
    # Under the line the block is drawn again.
    assert "7 tried" in after
    assert sent.count(_HIDDEN) == sent.count(_SHOWN) == 1


def test_phase_is_shown_with_the_time_that_it_takes() -> None:
    assert "measuring: 0 s so far, about 9 s left" in words(on_a_screen("show(Phase('measuring', 9.4))"))


def test_step_alone_is_a_block_that_goes_with_it() -> None:
    sent = on_a_screen("show(step(3)); show(step(3, True)); say('done')")
    assert "training: 3/4 step" in words(sent)
    assert sent.index(_SHOWN) < sent.index("done")


@pytest.mark.parametrize("end", ["", "raise SystemExit", "import signal; signal.raise_signal(signal.SIGINT)"])
def test_cursor_is_back_however_the_process_ends(end: str) -> None:
    code = f"show(standing)\ntry:\n    {end or 'pass'}\nexcept KeyboardInterrupt:\n    pass"
    sent = on_a_screen(code)
    assert sent.rindex(_SHOWN) > sent.rindex(_HIDDEN)


def test_results_in_a_file_are_plain_and_whole_while_the_block_is_on_the_screen() -> None:
    reader, writer = os.pipe()
    sent = on_a_screen("show(standing); say('Chosen: trial 1'); show(Message('PSNR 26.0 dB'))", stdout=writer)
    os.close(writer)
    assert os.read(reader, 4096) == b"Chosen: trial 1\nPSNR 26.0 dB\n"
    os.close(reader)
    assert "Chosen" not in sent
    assert "7 tried" in words(sent)


def test_dumb_terminal_and_quiet_show_no_block() -> None:
    assert on_a_screen("show(standing); show(Message('line'))", env={"TERM": "dumb"}) == "line\r\n"
    assert on_a_screen("be_quiet(quiet=True); show(standing); show(step(1)); say('result')") == "result\r\n"


def test_no_color_has_no_colours() -> None:
    coloured, plain = (on_a_screen("show(standing); show(step(1))", env=each) for each in ({}, {"NO_COLOR": "1"}))
    # From 30 on they set colours; below it bold and the like.
    assert re.search(_COLOUR, coloured)
    assert not re.search(_COLOUR, plain)


def test_line_longer_than_the_screen_is_not_broken() -> None:
    assert "x" * 150 in words(on_a_screen("show(standing); say('x' * 150)"))


def test_bytes_are_told_in_megabytes() -> None:
    sent = on_a_screen("show(Step('fetching', 2_500_000, 10_000_000, 'B', 3.0))")
    assert "fetching: 2.5 of 10.0 MB, 3 s left" in words(sent)

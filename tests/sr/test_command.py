from pathlib import Path

import pytest

from sr.command import BAD_INPUT, DONE, INTERRUPTED, Parser, command_line, parse_duration, run
from sr.errors import InputError
from sr.progress import Message
from sr.terminal import Terminal

FLAGS = ("out", "data", "val", "device", "seed", "json")


def parser() -> Parser:
    return Parser(prog="python -m sr.some", description="Does it.", example="python -m sr.some photo.jpg")


def test_a_wrong_flag_is_an_input_error_that_names_the_help() -> None:
    with pytest.raises(InputError, match=r"unrecognized arguments: --nonsense; see python -m sr\.some --help"):
        parser().parse_args(["--nonsense"])


def test_a_wrong_value_is_an_input_error() -> None:
    made = parser()
    made.add_shared("seed")
    with pytest.raises(InputError, match="invalid int value: 'seven'"):
        made.parse_args(["--seed", "seven"])


def test_the_help_ends_in_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    made = parser()
    made.add_shared(*FLAGS, out="runs")
    with pytest.raises(SystemExit) as caught:
        made.parse_args(["--help"])
    assert caught.value.code == DONE
    shown = capsys.readouterr().out
    assert shown.endswith("example:\n  python -m sr.some photo.jpg\n")
    assert all(f"--{flag}" in shown for flag in FLAGS)


def test_shared_flags_and_their_defaults() -> None:
    made = parser()
    made.add_shared(*FLAGS, out="runs")
    args = made.parse_args([])
    assert (args.out, args.data, args.val, args.seed, args.json) == (Path("runs"), None, None, 0, None)
    assert args.device == "auto"
    args = made.parse_args(["--out", "a", "--val", "b", "--device", "cpu", "--seed", "7"])
    assert (args.out, args.val, args.device, args.seed) == (Path("a"), Path("b"), "cpu", 7)


def test_only_the_flags_asked_for_are_there() -> None:
    made = parser()
    made.add_shared("out")
    assert made.parse_args([]).out is None
    with pytest.raises(InputError, match="unrecognized"):
        made.parse_args(["--seed", "1"])


def test_quiet_is_of_the_terminal_and_no_value_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert vars(parser().parse_args(["--quiet"])) == vars(parser().parse_args([]))
    parser().parse_args(["--quiet"])
    Terminal()(Message("trial 1"))
    parser().parse_args([])
    Terminal()(Message("trial 2"))
    assert capsys.readouterr().out == "trial 2\n"


def fail(error: BaseException) -> int:
    raise error


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("side must be 1, got 2"), BAD_INPUT, "error: side must be 1, got 2\n"),
        (KeyboardInterrupt(), INTERRUPTED, "interrupted\n"),
    ],
)
def test_what_goes_wrong_is_one_line_and_a_code(
    error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(lambda _: fail(error)) == code
    shown = capsys.readouterr()
    assert shown.err == line
    assert shown.out == ""


def test_the_codes_are_those_of_the_shell() -> None:
    assert (DONE, BAD_INPUT, INTERRUPTED) == (0, 2, 130)


def test_what_goes_right_passes_through(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(lambda argv: len(argv or []), ["a", "b", "c"]) == 3
    assert run(lambda argv: DONE if argv is None else BAD_INPUT) == DONE
    assert capsys.readouterr().err == ""


def test_our_own_mistakes_are_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run(lambda _: 1 // 0)


def test_a_full_disk_is_one_line_and_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(lambda _: fail(OSError(28, "No space left on device", "runs/log"))) == BAD_INPUT
    assert capsys.readouterr().err == "error: runs/log: No space left on device\n"


def test_a_command_is_written_as_a_shell_reads_it() -> None:
    assert command_line("sr.upscale", ["net.pth", "a photo.jpg"]) == "python -m sr.upscale net.pth 'a photo.jpg'"


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), (" 8h ", 28800)])
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0m", "-5s", "ten", "1d", "inf"])
def test_what_is_no_duration_is_named(text: str) -> None:
    with pytest.raises(InputError, match=f"a duration over zero such as 90s, 10m or 1.5h, got '{text}'"):
        parse_duration(text)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA error: out of memory")])
def test_lack_of_memory_is_one_line(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    def main(_argv: list[str] | None) -> int:
        raise error

    assert run(main) == BAD_INPUT
    assert capsys.readouterr().err.startswith("error: the device has too little memory for this; use smaller sizes")


def test_other_error_of_the_runtime_is_no_line() -> None:
    def main(_argv: list[str] | None) -> int:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        run(main)

"""Command lines of every command, its flags as its help names them."""

import io
import re
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from importlib import import_module

from fuzz_broken import Draw
from fuzz_case import OUT, Case
from fuzz_files import Look, onnx_file, picture
from hypothesis import strategies as st

from paretosr.__main__ import COMMANDS

# A search, a training or a download would begin where all that is drawn is as it should be: the last of these is not.
_GUARDS: dict[str, tuple[list[str], list[str]]] = {
    "search": ([], ["--budget-ms", "40", "--resume", "--out", OUT]),
    "report": (["in/nowhere"], ["--out", f"{OUT}/page.html"]),
    "compare": (["in/nowhere", "in/p"], ["--out", f"{OUT}/page.html"]),
    "pick": (["in/nowhere"], ["--out", OUT]),
    "prune": (["in/nowhere.pth"], ["--out", OUT]),
    "evaluate": (["in/net.onnx"], ["--val", "in/p"]),
    "upscale": (["in/net.onnx", "in/p"], ["--out", OUT]),
    "export": (["in/nowhere.pth"], ["--out", OUT]),
    "quantize": (["in/nowhere.pth"], ["--out", OUT]),
    "calibrate": ([], ["--budget-ms", "40", "--data", "in/nowhere", "--out", OUT]),
    "table": ([], ["--systems", "espcn", "--counts-only", "--out", OUT]),
    "train": (["espcn"], ["--resume", "--out", f"{OUT}/net.pth"]),
    "convert": (["espcn", "in/nowhere.pth"], ["--out", f"{OUT}/net.pth"]),
    "data": (["div2k"], ["--url", "http://127.0.0.1:9/", "--to", OUT]),
}
# Flags that say where something is written: what is there is replaced, as asked.
_WRITTEN = ("--out", "--json", "--html", "--to")
# Nor those that open a browser, serve until they are stopped, or measure.
_NOT_DRAWN = ("--open", "--serve", "--dry-run")
_VALUES = ("", " ", "0", "-1", "1", "2", "1e309", "nan", "inf", "-inf", "1e-9", "99999999999999999999", "abc", "1,2",
           ",", "0x0", "1x1", "-1x5", "999999x999999", "16x24", "auto", "cpu", "cuda:99", "cuda:-1", "mps", "none",
           "torch",
           "onnxruntime", "int8", "float16", "é\n", "\udcff", "%s", "{}", "x" * 300, "in", "in/p", "in/p/a.png",
           "in/nowhere", "in/net.onnx", "90s", "1h", "http://127.0.0.1:9/", "sqlite://", "=", "--", "-h")  # fmt: skip


def flags_of(command: str) -> tuple[str, ...]:
    """Return the flags that a command's help names."""
    said = io.StringIO()
    with redirect_stdout(said), suppress(SystemExit):
        import_module(COMMANDS[command][0]).main(["--help"])
    found = dict.fromkeys(re.findall(r"--[a-z][a-z0-9-]+", said.getvalue()))
    return tuple(flag for flag in found if flag not in (*_WRITTEN, *_NOT_DRAWN))


@st.composite
def command_lines(draw: Draw, flags: Mapping[str, tuple[str, ...]]) -> Case:
    """Draw every command's flags with values that nobody thought of."""
    command = draw(st.sampled_from(sorted(COMMANDS)))
    positional, last = _GUARDS[command]
    value = st.one_of(
        st.sampled_from(_VALUES),
        st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=6),
    )
    argv: list[str] = list(positional)
    for _ in range(draw(st.integers(0, 3))):
        argv.append(draw(st.sampled_from(flags[command] or ("--help",))))
        if draw(st.integers(0, 4)):
            argv.append(draw(value))
    if not draw(st.integers(0, 5)):
        argv.append(draw(value))
    # From there on nothing is a flag, nor the guard one.
    argv = [each for each in argv if each != "--"]
    if not draw(st.integers(0, 5)):
        last = [*last, "--json", f"{OUT}/{draw(st.sampled_from(('a.json', 'a/b.json', 'é', 'x' * 240)))}"]
    files = {"in/net.onnx": onnx_file(), "in/p/a.png": picture(Look("RGB", 24, 20), "PNG", {})}
    return Case("command lines", COMMANDS[command][0], (*argv, *last), files)

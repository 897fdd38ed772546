"""The commands of pages: their flags, and that help needs no torch."""

import subprocess
import sys

import pytest

from nas.config.compare import CompareConfig
from nas.config.report import ReportConfig
from sr.errors import InputError


@pytest.mark.parametrize("module", ["nas.report", "nas.compare"])
def test_help_needs_no_torch(module: str) -> None:
    code = (
        "import sys, runpy; sys.argv = ['x', '--help']\n"
        f"try: runpy.run_module({module!r}, run_name='__main__', alter_sys=True)\n"
        "except SystemExit: print('torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "RUN" in said
    assert said.rstrip().endswith("False")


def test_values_that_do_not_go_together_are_named() -> None:
    with pytest.raises(InputError, match="--port must be within 0 and 65535, got 70000"):
        ReportConfig(run="runs/x", port=70_000)
    with pytest.raises(InputError, match="--serve writes no file"):
        ReportConfig(run="runs/x", serve=True, out="page.html")
    with pytest.raises(InputError, match="two different folders"):
        CompareConfig(runs=["runs/x", "runs/../runs/x"])

"""What importing the package does: it keeps libraries from reporting, and takes no time."""

import os
import subprocess
import sys

import pytest

SWITCHES = {"ORT_DISABLE_TELEMETRY": "1", "RAY_USAGE_STATS_ENABLED": "0"}


@pytest.mark.parametrize("given", [{}, {"ORT_DISABLE_TELEMETRY": "0", "RAY_USAGE_STATS_ENABLED": "1"}])
def test_libraries_are_told_to_send_nothing_unless_the_user_says_otherwise(given: dict[str, str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in SWITCHES} | given
    code = (
        f"import os, sys, sr; print([os.environ[name] for name in {list(SWITCHES)!r}]);"
        "print('onnxruntime' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert shown.stdout == f"{list((SWITCHES | given).values())}\nFalse\n"

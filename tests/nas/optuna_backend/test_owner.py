"""Which process asked for a trial, and whether it still lives."""

import json
import os
import subprocess
import sys

from nas.optuna_backend.owner import is_lost, owner


def test_live_process_and_one_elsewhere_keep_their_trials() -> None:
    assert json.loads(owner())["pid"] == os.getpid()
    assert not is_lost(owner())
    assert not is_lost('{"host": "another-machine", "pid": 1}')
    assert is_lost(None)


def test_process_that_ended_is_lost() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(timeout=60)
    assert is_lost(json.dumps({**json.loads(owner()), "pid": ended.pid}))

import json
import os
import subprocess
import sys

from nas.workers import is_lost, worker


def test_a_live_process_keeps_its_trials() -> None:
    assert json.loads(worker())["pid"] == os.getpid()
    assert not is_lost(worker())
    assert not is_lost('{"host": "another-machine", "pid": 1}')
    assert is_lost(None)


def test_a_process_that_ended_is_lost() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(timeout=60)
    assert is_lost(json.dumps({**json.loads(worker()), "pid": ended.pid}))

"""Which process asked for a trial, and whether it still lives."""

import json
import os
import socket


def owner() -> str:
    """Return what tells this process apart, as JSON."""
    return json.dumps({"host": socket.gethostname(), "pid": os.getpid()})


def is_lost(text: str | None) -> bool:
    """Return whether the process that asked for a trial was one of this machine and is no more."""
    if text is None:
        return True
    who = json.loads(text)
    # On Windows a signal 0 would be Ctrl-C.
    if who["host"] != socket.gethostname() or who["pid"] == os.getpid() or os.name == "nt":
        return False
    try:
        os.kill(who["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False

"""The constraints of what a cluster and its weights are named by; free of torch and of Ray."""

import re
from pathlib import Path

from sr.errors import InputError
from sr.files import StrPath

# What is no address of a machine: the cluster that this machine is a node of, and one of this machine alone.
CLUSTERS = ("auto", "local")
_URL = re.compile(r"[a-z][a-z0-9+]+://[^/]")
_ADDRESS = re.compile(r"ray://(\[[0-9a-fA-F:]+\]|[\w.-]+):\d{1,5}")


def check_cluster(cluster: str | None, devices: str | None) -> None:
    """Raise InputError where a cluster has no name of one, or several devices of this machine are named too."""
    if cluster is None:
        return
    if cluster not in CLUSTERS and not _ADDRESS.fullmatch(cluster):
        raise InputError(f"--cluster must be auto, local or ray://HOST:10001, got {cluster!r}")
    if devices is not None and "," in devices:
        raise InputError(f"--cluster trains on the devices of its nodes, give --device alone, got --devices {devices}")


def weights_place(artifacts: StrPath | None, cluster: str | None) -> Path | str | None:
    """Return where the weights are to lie: a folder as a path, a bucket by its URL; None stays.

    Raises:
        InputError: For a bucket without a cluster, or one that was given as a path.
    """
    if artifacts is None:
        return None
    if isinstance(artifacts, str) and _URL.match(artifacts):
        if cluster is None:
            raise InputError(f"--artifacts {artifacts} is for the nodes of a cluster; give --cluster, or a folder")
        return artifacts
    if re.match(r"[a-z0-9+]{2,}:/", Path(artifacts).as_posix()):
        # As a path s3://bucket has lost a slash.
        raise InputError(f"--artifacts must be a folder or the URL of a bucket as text, got {artifacts!r}")
    return Path(artifacts)

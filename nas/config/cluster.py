"""The constraints of what a cluster is named by; free of torch and of Ray."""

import re
from pathlib import Path

from sr.errors import InputError
from sr.files import StrPath

# What is no address of a machine: the cluster that this machine is a node of, and one of this machine alone.
CLUSTERS = ("auto", "local")
_ADDRESS = re.compile(r"ray://(\[[0-9a-fA-F:]+\]|[\w.-]+):\d{1,5}")


def check_cluster(cluster: str | None, devices: str | None) -> None:
    """Raise InputError where a cluster has no name of one, or several devices of this machine are named too."""
    if cluster is None:
        return
    if cluster not in CLUSTERS and not _ADDRESS.fullmatch(cluster):
        raise InputError(f"--cluster must be auto, local or ray://HOST:10001, got {cluster!r}")
    if devices is not None and "," in devices:
        raise InputError(f"--cluster trains on the devices of its nodes, give --device alone, got --devices {devices}")


def check_artifacts(artifacts: StrPath | None) -> None:
    """Raise InputError where the weights are to lie in no folder."""
    # As a path s3://bucket has lost a slash.
    if artifacts is not None and re.match(r"[a-z0-9]+:/", Path(artifacts).as_posix()):
        raise InputError(f"--artifacts must be a folder, got {artifacts}; mount the bucket on every node")

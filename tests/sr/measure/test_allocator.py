import platform
import subprocess
import sys

import pytest

from sr.measure.allocator import keep_freed_memory

_FAULTS = """
import resource, sys, torch
from sr.measure.allocator import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()
network = torch.nn.Sequential(*(torch.nn.Conv2d(16, 16, 3, padding=1) for _ in range(6)))
with torch.inference_mode():
    for _ in range(3):
        network(torch.rand(1, 16, 256, 256))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        network(torch.rand(1, 16, 256, 256))
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_what_the_allocator_does_is_said_and_stays() -> None:
    said = keep_freed_memory()
    assert said
    assert keep_freed_memory() == said


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this C library is not glibc")
def test_kept_memory_is_not_faulted_in_again() -> None:
    run = [sys.executable, "-c", _FAULTS, "kept"]
    faults = int(subprocess.run(run, capture_output=True, check=True, text=True, timeout=120).stdout)
    # Each run works through 30 MB of activations, some 7,000 pages, ten times: of 70,000 most are not faulted in.
    assert faults < 10_000
    assert keep_freed_memory().endswith("freed memory kept")

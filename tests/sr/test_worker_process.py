"""What a worker process shares with the one that started it, and that it ends with it."""

import multiprocessing
import subprocess
import sys
from pathlib import Path

import torch

from sr.data.sources import load_pairs
from sr.worker_process import in_shared_memory

ROOT = Path(__file__).resolve().parents[2]
# Begins as a worker with a lifeline that this script closes itself, and would go on for a minute.
ENDS = """
import multiprocessing, time
from sr.worker_process import begin
if __name__ == "__main__":
    here, there = multiprocessing.Pipe(duplex=False)
    begin(1, here)
    there.close()
    time.sleep(60)
"""


def test_pairs_are_the_same_where_all_processes_read_them() -> None:
    pairs = load_pairs(None, "val").centre_crops(24, 2)
    kept = pairs.lr.values.clone()
    shared = in_shared_memory(pairs)
    assert shared.names == pairs.names
    assert torch.equal(shared.lr.values, kept)
    assert all(tensor.is_shared() for side in (shared.lr, shared.hr) for tensor in (side.values, side.offsets))


def test_a_worker_ends_with_its_lifeline() -> None:
    ended = subprocess.run([sys.executable, "-c", ENDS], cwd=ROOT, timeout=50, check=False)
    assert ended.returncode == 1
    assert multiprocessing.active_children() == []

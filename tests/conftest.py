"""Fixtures that every test may use."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

# As many examples as find a broken constraint soon; a test whose examples cost more names a smaller number itself.
settings.register_profile("suite", deadline=None, max_examples=30)
settings.load_profile("suite")
# The networks of tests are so small that a second thread costs more than it brings, and workers share the cores: each
# takes one, and so do the processes that it starts.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of facts, pictures and reference networks, or skip where it is not there."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("PARETOSR_SHARED", beside))
    if not (folder / "reference").is_dir():
        pytest.skip(f"the reference data is not at {folder} (name its folder in PARETOSR_SHARED)")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Wait for nobody else's measurements and leave the user's tables of runtimes alone."""
    with pytest.MonkeyPatch.context() as patch:
        # Test files run side by side: the CPU is idle for none of them.
        for module in ("latency", "timing_cache"):
            patch.setattr(f"sr.measure.{module}.wait_until_idle", lambda _: True)
        temporary = str(tmp_path_factory.getbasetemp())
        patch.setattr("tempfile.tempdir", temporary)
        # So that the processes that a test starts wait for it, and for nobody else.
        patch.setenv("TMPDIR", temporary)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    torch.manual_seed(0)

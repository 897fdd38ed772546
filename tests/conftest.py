"""Fixtures that every test may use."""

import contextlib
import gc
import importlib.util
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

# As many examples as find a broken constraint soon; a test whose examples cost more names a smaller number itself.
settings.register_profile("suite", deadline=None, max_examples=30)
settings.load_profile("suite")
# The networks of tests are so small that a second thread costs more than it brings, and workers share the cores: each
# takes one, and so do the processes that it starts.
os.environ["OMP_NUM_THREADS"] = "1"
# Read when Ray is imported: the clusters of tests listen on loopback alone.
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
torch.set_num_threads(1)


def pytest_collectstart() -> None:
    """Look for no garbage while modules are imported and tests are collected: there is none."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Have the garbage collector pass over what is here to stay, of which it would look through all every time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)
    gc.enable()


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
        for module in ("watch", "timing_cache"):
            patch.setattr(f"sr.measure.{module}.wait_until_idle", lambda _: True)
        patch.setattr("sr.measure.engine_choice._ATTEMPTS", 1)
        temporary = str(tmp_path_factory.getbasetemp())
        patch.setattr("tempfile.tempdir", temporary)
        # So that the processes that a test starts wait for it, and for nobody else.
        patch.setenv("TMPDIR", temporary)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def hasty() -> Iterator[None]:
    """Measure once where a search on a busy device, as the one that tests run on, would measure again and again."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("nas.candidate_verdicts._MOST_MEASUREMENTS", "nas.finalize._MOST_PASSES", "nas.finalize._PASSES",
                     "nas.device_probe._ATTEMPTS", "nas.training.pool_speed._ROUNDS", "sr.measure.latency._MOST_SETS",
                     "sr.training.autotune._READINGS"):  # fmt: skip
            patch.setattr(name, 1)
        yield


@pytest.fixture(scope="session")
def small_pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a folder to train on and one to validate on, `train` and `val`: two small pictures of smooth noise each.

    The photographs inside scikit-image, which are taken where no folder is given, are large.
    """
    rng = np.random.default_rng(0)
    folders = {part: tmp_path_factory.mktemp(part) for part in ("train", "val")}
    for part, folder in folders.items():
        for number in range(2):
            coarse = Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8))
            coarse.resize((96, 96), Image.Resampling.BICUBIC).save(folder / f"{part}{number}.png")
    return folders


@pytest.fixture(scope="session")
def ray_folder() -> Iterator[str]:
    """Return a folder for the sockets of a cluster, whose paths may have about a hundred characters."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install 'paretosr[cluster]'")
    with (
        tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("RAY_TMPDIR", folder)
        yield folder


@pytest.fixture(scope="session")
def cluster(ray_folder: str) -> Iterator[None]:
    """Be connected to a cluster of Ray's with two processors on this machine, or skip where Ray is not installed."""
    import ray

    ray.init(
        "local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR,
        object_store_memory=100 * 2**20, _temp_dir=ray_folder,
    )  # fmt: skip
    try:
        yield
    finally:
        ray.shutdown()


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    torch.manual_seed(0)


class Cuda:
    """What stands for `torch.cuda` where there is no GPU: two devices that note what is asked of them.

    Attributes:
        current: The index of the current device.
        now_ms: The time by its events; work that is timed moves it on.
        recorded: The streams that events were recorded on, as `stream of N`.
        synchronized: The devices that were waited for.
        capability: Of each device.
        free: Bytes that each device has left.
        reserved: Bytes that the allocator of this process keeps on any device.
        allocated: Those of them that are in use.
        compiled: What torch was compiled for.
    """

    def __init__(self) -> None:
        self.current, self.now_ms = 0, 0.0
        self.recorded: list[str] = []
        self.synchronized: list[torch.device] = []
        self.capability = [(8, 0), (8, 0)]
        self.free = [8 * 2**30, 8 * 2**30]
        self.reserved, self.allocated = 0, 0
        self.compiled = ["sm_80", "sm_90"]

    @contextlib.contextmanager
    def device(self, device: torch.device) -> Iterator[None]:
        before, self.current = self.current, self._index(device)
        try:
            yield
        finally:
            self.current = before

    def current_stream(self, device: torch.device | None = None) -> str:
        return f"stream of {self.current if device is None else self._index(device)}"

    def event(self, *, enable_timing: bool) -> "CudaEvent":
        assert enable_timing
        return CudaEvent(self)

    def properties(self, device: torch.device) -> SimpleNamespace:
        return SimpleNamespace(
            name="a GPU", uuid=f"uuid-{self._index(device)}", total_memory=16 * 2**30, multi_processor_count=64
        )

    def replacements(self) -> dict[str, Callable[..., object]]:
        """Return what takes the place of the functions of `torch.cuda`, by name."""
        return {
            "device": self.device,
            "current_stream": self.current_stream,
            "Event": self.event,
            "synchronize": lambda device=None: self.synchronized.append(device),
            "get_device_properties": self.properties,
            "get_device_capability": lambda device=None: self.capability[self._index(device)],
            "mem_get_info": lambda device=None: (self.free[self._index(device)], 16 * 2**30),
            "memory_reserved": lambda _device=None: self.reserved,
            "memory_allocated": lambda _device=None: self.allocated,
            "get_arch_list": lambda: self.compiled,
            "device_count": lambda: len(self.capability),
            "is_available": lambda: True,
            "empty_cache": lambda: None,
        }

    def _index(self, device: torch.device | None) -> int:
        return self.current if device is None or device.index is None else device.index


class CudaEvent:
    """An event of a recorder."""

    def __init__(self, cuda: Cuda) -> None:
        self.cuda, self.at_ms = cuda, 0.0

    def record(self, stream: str | None = None) -> None:
        self.cuda.recorded.append(stream or self.cuda.current_stream())
        self.at_ms = self.cuda.now_ms

    def synchronize(self) -> None:
        """Nothing is under way."""

    def elapsed_time(self, end: "CudaEvent") -> float:
        return end.at_ms - self.at_ms


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cuda:
    """Put a recorder in the place of `torch.cuda`, with lock files of its own."""
    recorder = Cuda()
    for name, function in recorder.replacements().items():
        monkeypatch.setattr(torch.cuda, name, function)
    monkeypatch.setattr("sr.measure.device_lock._COMMON", tmp_path)
    return recorder

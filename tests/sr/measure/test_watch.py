"""What counts as a disturbance of a GPU while it is timed."""

from dataclasses import dataclass, field

import pytest
import torch

from sr.measure.device_lock import OthersAtWork
from sr.measure.gpu_state import GpuState
from sr.measure.watch import CpuWatch, GpuWatch, watch_of


@dataclass
class Told:
    """A GPU that tells what it was told to."""

    slowed_by: tuple[str, ...] = ()
    others: bool = False
    uses: list[int | None] = field(default_factory=lambda: [0])

    def state(self) -> GpuState:
        return GpuState(1500, "P0", self.slowed_by)

    def use(self) -> int | None:
        return self.uses.pop(0) if len(self.uses) > 1 else self.uses[0]

    def others_since(self, microseconds: int) -> bool:
        assert microseconds > 0
        return self.others


def watch(told: Told, busy: float = 0.0, processors: int = 8) -> GpuWatch:
    """Return the watch of a GPU beside whose process others keep so many processors busy, over ten seconds."""

    def others() -> OthersAtWork:
        busies, times = iter([0.0, 10 * busy]), iter([0.0, 10.0])
        return OthersAtWork(lambda: next(busies), lambda: 0.0, lambda: next(times))

    return GpuWatch(told, processors, others)


@pytest.mark.parametrize(
    ("told", "busy", "disturbed"),
    [
        (Told(), 0.0, False),
        # Others on other processors: what is launched in time runs as fast.
        (Told(), 5.0, False),
        (Told(), 7.5, True),
        (Told(others=True), 0.0, True),
        (Told(slowed_by=("heat",)), 0.0, True),
    ],
)
def test_gpu_is_disturbed_by_others_by_heat_and_where_no_processor_is_free(
    told: Told, busy: float, disturbed: bool
) -> None:
    watching = watch(told, busy)
    watching.begin()
    assert watching.disturbed() is disturbed
    assert watching.state().clock_mhz == 1500


def test_gpu_is_waited_for_until_nothing_runs_on_it() -> None:
    assert watch(Told(uses=[90, 0])).wait_until_idle(60.0)
    assert watch(Told(uses=[None])).wait_until_idle(0.0)
    assert not watch(Told(uses=[90])).wait_until_idle(0.0)


@pytest.mark.usefixtures("cuda")
def test_each_device_has_its_watch() -> None:
    assert isinstance(watch_of(torch.device("cpu")), CpuWatch)
    assert isinstance(watch_of(torch.device("cuda", 0)), GpuWatch)

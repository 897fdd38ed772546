"""Timings of one device: measured once, at one speed, remembered where nothing has changed."""

import json
import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sr.errors import InputError
from sr.measure.timing_cache import ATTEMPTS, BURST, TimeWorks, TimingCache, Timings, cache_path, place
from sr.progress import Message, Report, no_report

CPU = torch.device("cpu")
KNOWN = Timings(anchor_ms=1.0, ms={"slow": 123.0})

times = st.floats(1e-6, 1e6)


def scripted(*anchors_ms: float) -> TimeWorks:
    """Return a clock by which a work takes a millisecond for each element of its result.

    anchors_ms: what the anchor takes by it, round by round, and at last in all that follow.
    """
    left = list(anchors_ms)

    def time_works(works: Sequence[Callable[[], Tensor]], _device: torch.device) -> list[float]:
        anchor_ms = left.pop(0) if len(left) > 1 else left[0]
        return [anchor_ms, *(float(work().numel()) for work in works[1:])]

    return time_works


def table(path: Path | None = None, report: Report = no_report, **others: str) -> TimingCache:
    dtype, memory_format = others.get("dtype", "float32"), others.get("memory_format", "channels_last")
    return TimingCache(
        "timings", CPU, dtype, path, memory_format=memory_format, report=report, time_works=scripted(1.0)
    )


def anchored(*anchors_ms: float, report: Report = no_report, path: Path | None = None) -> TimingCache:
    """Return a table whose anchor takes these times, round by round."""
    return TimingCache(
        "timings", CPU, "float32", path, memory_format="channels_last", report=report, time_works=scripted(*anchors_ms)
    )


def known(path: Path) -> Path:
    """Write a table with one timing."""
    made = table(path)
    made.remember(KNOWN)
    made.save()
    return path


def exponential(elements: int) -> Callable[[], Callable[[], Tensor]]:
    """Return what makes a run over so many elements."""

    def prepare() -> Callable[[], Tensor]:
        values = torch.rand(elements)
        return lambda: values.exp()

    return prepare


def texts(events: list[object]) -> list[str]:
    """Return the lines of what was reported."""
    return [event.text for event in events if isinstance(event, Message)]


@given(st.floats(1e-3, 1e3), st.dictionaries(st.text(), times))
def test_timings_survive_json(anchor_ms: float, ms: dict[str, float]) -> None:
    timings = Timings(anchor_ms if ms else 0.0, ms)
    assert Timings.from_json(json.loads(json.dumps(timings.to_json()))) == timings


def test_every_work_is_measured_once() -> None:
    made: list[str] = []

    def prepare(name: str) -> Callable[[], Callable[[], Tensor]]:
        def make() -> Callable[[], Tensor]:
            made.append(name)
            return exponential(64)()

        return make

    measured = table()
    names = [str(number) for number in range(BURST + 2)]
    measured.measure({name: prepare(name) for name in names})
    assert made == names
    assert all(measured.ms(name) == 64 for name in names)
    before = measured.timings
    measured.measure({name: prepare(name) for name in names[:3]})
    assert made == names
    assert measured.timings is before


def test_each_work_has_its_own_time_and_what_was_not_measured_has_none() -> None:
    measured = table()
    measured.measure({"small": exponential(2**8), "large": exponential(2**10)})
    assert (measured.ms("small"), measured.ms("large")) == (2**8, 2**10)
    assert measured.knows("large")
    assert not measured.knows("other")
    with pytest.raises(KeyError):
        measured.ms("other")


def test_by_the_clock_of_the_machine_times_are_above_0() -> None:
    measured = TimingCache("timings", CPU, "float32", None, memory_format="channels_last")
    (ms,) = measured.beside_anchor([exponential(64)])
    assert ms > 0
    assert measured.timings.anchor_ms > 0


def test_a_file_gives_back_what_was_measured(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "timings.json"
    first = table(path)
    first.measure({"work": exponential(64)})
    assert not path.exists()
    first.save()
    assert table(path).timings == first.timings
    content = json.loads(path.read_text())
    assert content["threads"] == torch.get_num_threads()
    assert {"device", "driver", "versions", "dtype", "memory_format", "date"} <= set(content)


def test_measuring_saves_now_and_then(tmp_path: Path) -> None:
    measured = table(tmp_path / "timings.json")
    measured.saved_at -= 60
    measured.measure({"work": exponential(64)})
    assert table(measured.path).timings == measured.timings


def test_a_file_of_other_conditions_is_replaced_and_that_is_said(tmp_path: Path) -> None:
    path, events = known(tmp_path / "timings.json"), list[object]()
    new = TimingCache("timings", CPU, "float32", path, memory_format="contiguous", report=events.append)
    assert new.timings == Timings()
    (line,) = texts(events)
    assert "the timings in" in line
    assert "memory_format was channels_last and is now contiguous" in line
    new.save()
    assert json.loads(path.read_text())["memory_format"] == "contiguous"


def test_a_file_of_an_earlier_layout_is_replaced_and_that_is_said(tmp_path: Path) -> None:
    path, events = known(tmp_path / "timings.json"), list[object]()
    content = json.loads(path.read_text())
    del content["ms"]
    path.write_text(json.dumps({**content, "convs": []}))
    old = TimingCache("timings", CPU, "float32", path, memory_format="channels_last", report=events.append)
    assert old.timings == Timings()
    assert [line.partition(": ")[2] for line in texts(events)] == ["the file has the layout of an earlier version"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-20],
        lambda text: text.replace("123.0", '"fast"'),
        lambda text: text.replace("123.0", "NaN"),
        lambda text: text.replace("123.0", "-1"),
        lambda text: text.replace('{\n    "slow": 123.0\n  }', "7"),
        lambda text: text.replace('"threads"', '"thread"'),
        lambda _text: "[]",
    ],
)
def test_a_broken_file_costs_a_line_and_is_replaced(tmp_path: Path, spoil: Callable[[str], str]) -> None:
    path, events = known(tmp_path / "timings.json"), list[object]()
    path.write_text(spoil(path.read_text()))
    broken = table(path, events.append)
    assert broken.timings == Timings()
    (line,) = texts(events)
    assert "timings.json is no table of timings (" in line
    assert "\n" not in line
    broken.remember(KNOWN)
    broken.save()
    assert table(path).timings == KNOWN


def test_a_table_that_cannot_be_written_costs_one_line(tmp_path: Path) -> None:
    events: list[object] = []
    measured = table(tmp_path / "folder" / "timings.json", events.append)
    (tmp_path / "folder").write_text("in the way")
    measured.remember(KNOWN)
    measured.save()
    measured.save()
    (line,) = texts(events)
    assert line.startswith("the timings are not kept for the next run: cannot write")
    assert measured.ms("slow") == 123.0


def test_a_user_without_a_home_has_the_folder_of_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", none)
    assert cache_path("blocks", place(CPU, "float32")).is_relative_to(tempfile.gettempdir())


@pytest.mark.parametrize("wrong", [{"dtype": "int3"}, {"memory_format": "tiled"}])
def test_a_table_is_of_a_known_dtype_and_memory_format(wrong: dict[str, str]) -> None:
    with pytest.raises(InputError, match=f"got .*{next(iter(wrong.values()))}"):
        table(**wrong)


def test_entries_are_at_the_speed_of_the_first_anchor() -> None:
    # The first anchor is the least of some; then the clock is slower by a quarter: a drift, no disturbance.
    drifting = anchored(*[2.0] * ATTEMPTS, 2.5)
    drifting.measure({"work": exponential(100)})
    assert drifting.timings == Timings(2.0, {"work": 100 / 1.25})
    assert not drifting.disturbed


def test_what_a_busy_device_measured_is_not_kept(tmp_path: Path) -> None:
    events: list[object] = []
    path = tmp_path / "table.json"
    # An anchor that no attempt comes near: as if others were at work all the time.
    busy = anchored(50.0, report=events.append, path=path)
    busy.remember(Timings(1.0, {"before": 1.0}))
    busy.measure({"now": exponential(64)})
    assert busy.ms("now") > 0
    assert busy.disturbed
    busy.save()
    assert "busy" in texts(events)[0]
    assert table(path=path).timings == Timings(1.0, {"before": 1.0})


def test_a_disturbed_round_is_timed_again() -> None:
    again = anchored(9.0, 9.0, 1.0)
    again.remember(Timings(1.0, {"before": 1.0}))
    again.measure({"now": exponential(64)})
    assert again.timings == Timings(1.0, {"before": 1.0, "now": 64.0})
    assert not again.disturbed


def test_a_first_anchor_that_was_disturbed_is_made_good() -> None:
    healed = anchored(2.0)
    healed.remember(Timings(100.0, {"before": 5.0}))
    healed.measure({"now": exponential(64)})
    assert healed.timings.anchor_ms == 2.0
    assert healed.ms("before") == pytest.approx(5.0 * 2.0 / 100.0)
    assert healed.ms("now") == 64
    assert not healed.disturbed


def test_one_table_has_one_number_of_threads() -> None:
    measured, threads = table(), torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        with pytest.raises(InputError, match=rf"{threads} when it was opened and {threads + 1} now"):
            measured.measure({"work": exponential(64)})
    finally:
        torch.set_num_threads(threads)


def test_the_file_lies_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = cache_path("blocks", place(CPU, "float32"))
    assert path.parent == tmp_path / "paretosr"
    assert path.name.startswith("blocks-")
    assert path.name.endswith("threads-torch-float32.json")
    assert path != cache_path("blocks", place(CPU, "bfloat16"))
    assert path != cache_path("blocks", place(CPU, "float32", engine="onnxruntime"))


def with_room_for(most: int) -> TimeWorks:
    """Return a clock of a device that has no room for the tensors of more works at once, the anchor's among them."""

    def time_works(works: Sequence[Callable[[], Tensor]], _device: torch.device) -> list[float]:
        if len(works) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [1.0, *(float(work().numel()) for work in works[1:])]

    return time_works


def test_burst_that_has_no_room_is_timed_in_parts() -> None:
    made = TimingCache("timings", CPU, "float32", None, time_works=with_room_for(3))
    made.measure({str(elements): exponential(elements) for elements in range(1, BURST + 1)})
    assert [made.ms(str(elements)) for elements in range(1, BURST + 1)] == list(range(1, BURST + 1))


def test_work_that_has_no_room_alone_is_an_input_error() -> None:
    made = TimingCache("timings", CPU, "float32", None, time_works=with_room_for(1))
    with pytest.raises(InputError, match="cpu has too little memory to time timings at this size"):
        made.measure({"1": exponential(1), "2": exponential(2)})


@pytest.mark.parametrize(("device", "least"), [("cpu", 30e6), ("cuda", 30e9), ("mps", 5e9)])
def test_anchor_of_a_gpu_takes_longer_than_its_launch(
    device: str, least: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, shapes = table(), list[tuple[int, ...]]()
    monkeypatch.setattr(made, "device", torch.device(device))
    monkeypatch.setattr(made, "random", lambda *shape: shapes.append(shape))
    made.anchor()
    picture, weight, _ = shapes
    # Multiply-adds: a GPU of 60 teraflops takes half a microsecond for the CPU's.
    assert picture[2] * picture[3] * math.prod(weight) >= least

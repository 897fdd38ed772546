"""Figures of one device: measured once, at one speed, remembered where nothing has changed."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sr.device_table import BURST, MOST_DRIFT, DeviceTable, Figures, Report, cache_path, place, unheard
from sr.errors import InputError

CPU = torch.device("cpu")
KNOWN = Figures(anchor_ms=1.0, ms={"slow": 123.0})

times = st.floats(1e-6, 1e6)


@pytest.fixture(autouse=True)
def _few_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time by a few runs: what is tested is not how long a work takes."""
    monkeypatch.setattr("sr.device_table.QUIET_SECONDS", 0.0)
    monkeypatch.setattr("sr.timing.LONGEST_MS", 20.0)
    # However busy the machine of the tests is.
    monkeypatch.setattr("sr.device_table.MOST_DRIFT", math.inf)


def table(path: Path | None = None, report: Report = unheard, **others: str) -> DeviceTable:
    dtype, memory_format = others.get("dtype", "float32"), others.get("memory_format", "channels_last")
    return DeviceTable("figures", CPU, dtype, path, memory_format=memory_format, report=report)


def known(path: Path) -> Path:
    """Write a table with one figure."""
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


@given(st.floats(1e-3, 1e3), st.dictionaries(st.text(), times))
def test_figures_survive_json(anchor_ms: float, ms: dict[str, float]) -> None:
    figures = Figures(anchor_ms if ms else 0.0, ms)
    assert Figures.from_json(json.loads(json.dumps(figures.to_json()))) == figures


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
    assert all(measured.ms(name) > 0 for name in names)
    before = measured.figures
    measured.measure({name: prepare(name) for name in names[:3]})
    assert made == names
    assert measured.figures is before


def test_more_work_takes_longer_and_what_was_not_measured_has_no_figure() -> None:
    measured = table()
    measured.measure({"small": exponential(2**8), "large": exponential(2**20)})
    assert measured.ms("large") > measured.ms("small")
    assert measured.knows("large")
    assert not measured.knows("other")
    with pytest.raises(KeyError):
        measured.ms("other")


def test_a_file_gives_back_what_was_measured(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "figures.json"
    first = table(path)
    first.measure({"work": exponential(64)})
    assert not path.exists()
    first.save()
    assert table(path).figures == first.figures
    content = json.loads(path.read_text())
    assert content["threads"] == torch.get_num_threads()
    assert {"device", "driver", "versions", "dtype", "memory_format", "date"} <= set(content)


def test_measuring_saves_now_and_then(tmp_path: Path) -> None:
    measured = table(tmp_path / "figures.json")
    measured.saved_at -= 60
    measured.measure({"work": exponential(64)})
    assert table(measured.path).figures == measured.figures


def test_a_file_of_other_conditions_is_replaced_and_that_is_said(tmp_path: Path) -> None:
    path, lines = known(tmp_path / "figures.json"), list[str]()
    new = DeviceTable("figures", CPU, "float32", path, memory_format="contiguous", report=lines.append)
    assert new.figures == Figures()
    assert len(lines) == 1
    assert "the figures in" in lines[0]
    assert "memory_format was channels_last and is now contiguous" in lines[0]
    new.save()
    assert json.loads(path.read_text())["memory_format"] == "contiguous"


def test_a_file_of_an_earlier_layout_is_replaced_and_that_is_said(tmp_path: Path) -> None:
    path, lines = known(tmp_path / "figures.json"), list[str]()
    content = json.loads(path.read_text())
    del content["ms"]
    path.write_text(json.dumps({**content, "convs": []}))
    old = DeviceTable("figures", CPU, "float32", path, memory_format="channels_last", report=lines.append)
    assert old.figures == Figures()
    assert [line.partition(": ")[2] for line in lines] == ["the file has the layout of an earlier version"]


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
def test_a_broken_file_is_one_clear_line(tmp_path: Path, spoil) -> None:
    path = known(tmp_path / "figures.json")
    path.write_text(spoil(path.read_text()))
    with pytest.raises(InputError, match=r"figures\.json is no table of figures; delete it") as raised:
        table(path)
    assert "\n" not in str(raised.value)


def test_a_table_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    measured = table(tmp_path / "folder" / "figures.json")
    (tmp_path / "folder").write_text("in the way")
    with pytest.raises(InputError, match="cannot write"):
        measured.save()


@pytest.mark.parametrize("wrong", [{"dtype": "int8"}, {"memory_format": "tiled"}])
def test_a_table_is_of_a_known_dtype_and_memory_format(wrong: dict[str, str]) -> None:
    with pytest.raises(InputError, match=f"got .*{next(iter(wrong.values()))}"):
        table(**wrong)


def test_entries_are_at_the_speed_of_the_first_anchor() -> None:
    slowed = table()
    slowed.measure({"anchor": slowed.anchor})
    first_ms = slowed.figures.anchor_ms
    # As if the clock had been faster then: a drift, no disturbance.
    slowed.remember(Figures(first_ms / 1.3))
    slowed.measure({"anchor again": slowed.anchor})
    assert slowed.figures.anchor_ms == first_ms / 1.3
    # Not exactly 1: it is timed as the anchor and as a work.
    assert 0.3 < slowed.ms("anchor again") / (first_ms / 1.3) < 3.3


def test_what_a_busy_device_measured_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sr.device_table.MOST_DRIFT", MOST_DRIFT)
    lines: list[str] = []
    path = tmp_path / "table.json"
    busy = table(path=path, report=lines.append)
    # An anchor that no attempt comes near: as if others were at work all the time.
    busy.remember(Figures(1e-6, {"before": 1.0}))
    busy.measure({"now": exponential(64)})
    assert busy.ms("now") > 0
    assert busy.disturbed
    busy.save()
    assert "busy" in lines[0]
    assert table(path=path).figures == Figures(1e-6, {"before": 1.0})


def test_a_first_anchor_that_was_disturbed_is_made_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sr.device_table.MOST_DRIFT", MOST_DRIFT)
    healed = table()
    healed.remember(Figures(1e6, {"before": 5.0}))
    healed.measure({"now": exponential(64)})
    assert healed.figures.anchor_ms < 1e3
    assert healed.ms("before") == pytest.approx(5.0 * healed.figures.anchor_ms / 1e6)
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
    path = cache_path("pieces", place(CPU, "float32"))
    assert path.parent == tmp_path / "paretosr"
    assert path.name.startswith("pieces-")
    assert path.name.endswith("threads-float32.json")
    assert path != cache_path("pieces", place(CPU, "bfloat16"))

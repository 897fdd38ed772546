"""Predicted runtimes: sums of entries, what they learn from whole networks, and how honest they are about it."""

import math
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nas.predictors.latency_correction import _FEWEST_NETWORKS
from nas.predictors.latency_entries import Entry, entries_of, work_of
from nas.predictors.latency_table import (
    LatencyTable,
    PredictionError,
    Sample,
    at_one_speed,
    describe,
    empty_table,
    measure_entries,
    open_table,
    prediction_error,
)
from search_spaces import SPACES
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from sr.errors import InputError
from sr.measure.target import Target
from sr.measure.timing_cache import TimingCache, Timings
from sr.memory_format import MEMORY_FORMATS

CPU = torch.device("cpu")
SIZE = (16, 16)
TARGET = Target(CPU, SIZE)
SMALL = repeated(8, "branched_conv", 2)


def one_ms(works: Sequence[Callable[[], Tensor]], _device: torch.device) -> list[float]:
    """Run each work once and say that it took a millisecond: how long it takes is not what is tested."""
    return [1.0 for work in works if work().isfinite().all()]


def key_of(entry: Entry, memory_format: str) -> str:
    """Return the name under which the file of a table has an entry."""
    return f"{entry.name} {entry.num_feat}ch 16x16 {memory_format}"


def empty(early_stop_ms: float = math.inf) -> LatencyTable:
    return LatencyTable(TimingCache("entries", CPU, "float32", None, time_works=one_ms), SIZE, early_stop_ms)


def prepared(*architectures: Architecture) -> LatencyTable:
    """Return a table in which a entry takes 1 ms for 100,000 multi-adds, half as much more in contiguous."""
    table, factors = empty(), {"contiguous": 1.5, "channels_last": 1.0}
    entries = {entry for architecture in architectures for entry in entries_of(architecture)}
    ms = {
        key_of(entry, memory_format): factors[memory_format] * work_of(entry) / 1e5
        for entry in entries
        for memory_format in MEMORY_FORMATS
    }
    table.cache.remember(Timings(1.0, ms))
    return table


def drawn(count: int) -> list[Architecture]:
    space, rng = SPACES["msrresnet"], random.Random(3)
    return [replace(space.decode(space.sample(rng)), aggregation="none") for _ in range(count)]


def truth_of(table: LatencyTable, architecture: Architecture) -> float:
    """Return a runtime beyond the sum of entries: the more blocks, the more, and large pictures cost extra."""
    extra = 0.02 * len(architecture.canonical.blocks) + 0.2 * (architecture.upsampler != "one_step")
    return table.predict(architecture) * (1.1 + extra)


def test_empty_table_knows_nothing_and_is_kept_nowhere() -> None:
    table = empty_table(TARGET)
    assert not table.knows(SMALL)
    assert (table.lr_size, table.cache.path, table.early_stop_ms) == (SIZE, None, math.inf)


def test_network_takes_the_sum_of_its_entries_in_the_faster_memory_format() -> None:
    table = prepared(SMALL)
    pixels, blocks = SIZE[0] * SIZE[1], 2 * 9 * 8 * 8
    # The image skip is a 1x1 convolution from 3 to 48 channels.
    by_hand = pixels * (9 * 3 * 8 + blocks + 9 * 8 * 48 + 3 * 48) / 1e5
    assert table.predict(SMALL) == pytest.approx(by_hand)
    assert table.error() is None


def test_faster_memory_format_is_that_of_the_whole() -> None:
    table = prepared(SMALL)
    (head,) = (entry for entry in entries_of(SMALL) if entry.part == "head")
    before = table.predict(SMALL)
    quick = {**table.cache.timings.ms, key_of(head, "contiguous"): 1e-9}
    table.cache.remember(Timings(1.0, quick))
    assert table.predict(SMALL) == before


def test_empty_positions_cost_nothing() -> None:
    longer = replace(SMALL, blocks=(*SMALL.blocks, *repeated(8, "identity", 3).blocks))
    table = prepared(SMALL)
    assert table.predict(longer) == table.predict(SMALL)


def test_unknown_entries_are_measured_once_in_both_memory_formats() -> None:
    table = empty()
    table.measure([SMALL, repeated(8, "branched_conv", 5)])
    known = table.cache.timings
    assert set(known.ms) == {key_of(entry, each) for entry in entries_of(SMALL) for each in MEMORY_FORMATS}
    assert "3 branched_conv 8ch 16x16 channels_last" in known.ms
    assert 0 < table.predict(SMALL) < table.predict(repeated(8, "branched_conv", 5))
    assert table.cache.timings is known


def test_entry_that_is_too_slow_at_a_narrower_width_is_extrapolated() -> None:
    wide = repeated(64, "residual_relu", 16, upsampler="two_step")
    table = empty(early_stop_ms=1e-6)
    predicted = table.predict(wide)
    assert all(" 8ch " in key for key in table.cache.timings.ms), "an entry that is too slow was measured"
    assert set(table.extrapolated(wide)) == {entry.name for entry in entries_of(wide)}
    by_hand = dict.fromkeys(MEMORY_FORMATS, 0.0)
    for entry, share in entries_of(wide).items():
        for each in MEMORY_FORMATS:
            narrow_ms = table.cache.ms(key_of(entry.at(8), each))
            by_hand[each] += share * narrow_ms * work_of(entry) / work_of(entry.at(8))
    assert predicted == pytest.approx(min(by_hand.values()))
    assert predicted > table.predict(repeated(32, "residual_relu", 16, upsampler="two_step"))
    assert table.extrapolated(repeated(8, "residual_relu", 1, upsampler="two_step")) == ()


def test_entry_that_is_fast_at_narrower_widths_is_measured() -> None:
    table = empty(early_stop_ms=1e6)
    assert table.extrapolated(repeated(16, "idle", 1)) == ()
    assert all(" 8ch " in key or " 16ch " in key for key in table.cache.timings.ms)


def test_few_samples_give_one_factor() -> None:
    networks = [repeated(8, "branched_conv", count) for count in (1, 2, 3, 4)]
    table = prepared(*networks)
    samples = [Sample(each, factor * table.predict(each)) for each, factor in zip(networks, (2, 3, 9, 3), strict=True)]
    corrected = table.corrected(samples)
    assert [corrected.predict(each) / table.predict(each) for each in networks] == pytest.approx([3.0] * 4)
    assert table.correction is None
    error = corrected.error()
    assert error is not None
    # Each by the median of the others: 3 of (3, 9, 3), 3 of (2, 9, 3), 3 of (2, 3, 3), 3 of (2, 3, 9).
    assert error.networks == 4
    assert error.median == pytest.approx(statistics.median([1 / 2, 0, 2 / 3, 0]))


def test_more_samples_show_what_the_factor_follows() -> None:
    networks = drawn(60)
    table = prepared(*networks)
    samples = [Sample(each, truth_of(table, each)) for each in networks[:40]]
    corrected = table.corrected(samples)
    scale = statistics.median(sample.runtime_ms / table.predict(sample.architecture) for sample in samples)
    truth = [truth_of(table, each) for each in networks[40:]]
    learned = prediction_error([corrected.predict(each) for each in networks[40:]], truth)
    scaled = prediction_error([scale * table.predict(each) for each in networks[40:]], truth)
    assert learned.median < 0.02 < scaled.median
    error = corrected.error()
    assert error is not None
    assert error.median < 0.02
    assert error.spearman is not None
    assert error.spearman > 0.99


def test_error_is_that_of_fits_without_the_network() -> None:
    networks = drawn(_FEWEST_NETWORKS + 2)
    table, rng = prepared(*networks), random.Random(0)
    samples = [Sample(each, rng.uniform(0.5, 2) * table.predict(each)) for each in networks]
    explicit = [
        table.corrected(samples[:index] + samples[index + 1 :]).predict(left_out)
        for index, left_out in enumerate(networks)
    ]
    assert table.corrected(samples).error() == prediction_error(explicit, [sample.runtime_ms for sample in samples])


def test_one_sample_leaves_the_error_unknown_and_none_are_refused() -> None:
    table = prepared(SMALL)
    corrected = table.corrected([Sample(SMALL, 7.0)])
    assert corrected.predict(SMALL) == pytest.approx(7.0)
    assert corrected.error() is None
    with pytest.raises(InputError, match="one measured network or more"):
        table.corrected([])


@given(st.lists(st.floats(0.5, 2), min_size=1, max_size=9))
@settings(max_examples=30)
def test_drift_of_the_clock_is_taken_out(speeds: list[float]) -> None:
    samples = [Sample(SMALL, 10 * speed, 5 * speed) for speed in speeds]
    assert at_one_speed(samples) == pytest.approx([10 * statistics.median(speeds)] * len(speeds))


def test_runtime_without_a_reference_stays_as_it_is() -> None:
    assert at_one_speed([Sample(SMALL, 10.0), Sample(SMALL, 8.0, 2.0)]) == [10.0, 8.0]


@pytest.mark.parametrize("times", [(0.0,), (math.nan,), (1.0, -1.0), (math.inf, 1.0)])
def test_sample_with_a_time_not_above_zero_is_refused(times: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="milliseconds above 0"):
        Sample(SMALL, *times)


def test_errors_are_those_worked_out_by_hand() -> None:
    error = prediction_error([1.1, 1.8, 3.0], [1.0, 2.0, 3.0])
    assert (error.networks, error.spearman) == (3, pytest.approx(1.0))
    assert error.median == pytest.approx(0.1)


def test_error_is_said_in_one_sentence() -> None:
    words = describe(PredictionError(3, 0.1, 0.2, 0.5))
    assert words == (
        "Predicted runtimes were off by 10.0 % in the median and by at most 20.0 % in nine of ten cases, on 3 networks "
        "that the prediction had not seen (Spearman's rank correlation 0.500)."
    )
    assert describe(PredictionError(3, 0.1, 0.2, None)) == words.replace(" (Spearman's rank correlation 0.500)", "")
    assert describe(None) == "No predicted runtime was compared with a measured one."


def test_entries_are_remembered_in_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = open_table(TARGET)
    first.cache.remember(prepared(SMALL).cache.timings)
    predicted = first.predict(SMALL)
    first.save()
    (file,) = (tmp_path / "paretosr").iterdir()
    assert file.name.startswith("latency-")
    again = open_table(TARGET)
    assert again.cache.timings == first.cache.timings
    assert again.predict(SMALL) == predicted
    elsewhere = open_table(Target(CPU, (32, 16)), path=file)
    assert not elsewhere.knows(SMALL)


def test_entries_of_a_space_are_measured_in_the_time_that_there_is(tmp_path: Path) -> None:
    space = replace(
        MSRRESNET_SPACE, name="small", num_feat=(8,), positions=2, aggregation=("none",),
        seeds=(repeated(8, "branched_conv", 1),),
    )  # fmt: skip
    cache = TimingCache("entries", CPU, "float32", tmp_path / "table.json", time_works=one_ms)
    table = LatencyTable(cache, SIZE)
    assert not measure_entries(table, space, 0.0, draws=2)
    assert not table.knows(space.seeds[0])
    assert measure_entries(table, space, 1000.0, draws=2)
    assert table.knows(space.seeds[0])
    known = table.cache.timings
    assert measure_entries(table, space, 1000.0, draws=2)
    assert table.cache.timings is known, "what is known was measured again"
    assert open_table(TARGET, path=tmp_path / "table.json").knows(space.seeds[0])

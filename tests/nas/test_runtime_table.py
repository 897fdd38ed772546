"""Predicted runtimes: sums of pieces, what they learn from whole networks, and how honest they are about it."""

import math
import random
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.pieces import CHAIN, parts, work_of
from nas.runtime_table import (
    FEWEST_FITTED,
    PredictionError,
    RuntimeTable,
    Sample,
    at_one_speed,
    compared,
    fitted,
    in_words,
    open_table,
)
from search_spaces import SPACES
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import repeated
from sr.device_table import DeviceTable, Figures
from sr.errors import InputError
from sr.latency import MEMORY_FORMATS

CPU = torch.device("cpu")
SIZE = (16, 16)
SMALL = repeated(8, "branched_conv", 2)


@pytest.fixture(autouse=True)
def _few_runs(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time by a few runs and wait for nobody else's: what is tested is not how long a piece takes."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path_factory.getbasetemp()))
    monkeypatch.setattr("sr.device_table.QUIET_SECONDS", 0.0)
    monkeypatch.setattr("sr.timing.LONGEST_MS", 0.0)


def empty(hopeless_ms: float = math.inf) -> RuntimeTable:
    return RuntimeTable(DeviceTable("runtimes of pieces", CPU, "float32", None), SIZE, hopeless_ms)


def prepared(*architectures: Architecture) -> RuntimeTable:
    """Return a table in which a piece takes 1 ms for 100,000 multi-adds, half as much more in contiguous."""
    table, factors = empty(), {"contiguous": 1.5, "channels_last": 1.0}
    pieces = {piece for architecture in architectures for piece in parts(architecture)}
    ms = {
        table.key(piece, memory_format): factors[memory_format] * work_of(piece) / 1e5
        for piece in pieces
        for memory_format in MEMORY_FORMATS
    }
    table.figures.remember(Figures(1.0, ms))
    return table


def drawn(count: int) -> list[Architecture]:
    space, rng = SPACES["msrresnet"], random.Random(3)
    return [replace(space.decode(space.sample(rng)), aggregation="none") for _ in range(count)]


def lawful(table: RuntimeTable, architecture: Architecture) -> float:
    """Return a runtime beyond the sum of pieces: the more blocks, the more, and large pictures cost extra."""
    extra = 0.02 * len(architecture.canonical.blocks) + 0.2 * (architecture.upsampler != "one_step")
    return table.predict(architecture) * (1.1 + extra)


def test_a_network_takes_the_sum_of_its_pieces_in_the_faster_memory_format() -> None:
    table = prepared(SMALL)
    pixels, blocks = SIZE[0] * SIZE[1], 2 * 9 * 8 * 8
    # The image skip is a 1x1 convolution from 3 to 48 channels.
    by_hand = pixels * (9 * 3 * 8 + blocks + 9 * 8 * 48 + 3 * 48) / 1e5
    assert table.predict(SMALL) == pytest.approx(by_hand)
    assert table.error() is None


def test_the_faster_memory_format_is_that_of_the_whole() -> None:
    table = prepared(SMALL)
    (head,) = (piece for piece in parts(SMALL) if piece.part == "head")
    before = table.predict(SMALL)
    quick = {**table.figures.figures.ms, table.key(head, "contiguous"): 1e-9}
    table.figures.remember(Figures(1.0, quick))
    assert table.predict(SMALL) == before


def test_empty_positions_cost_nothing() -> None:
    longer = replace(SMALL, blocks=(*SMALL.blocks, *repeated(8, "identity", 3).blocks))
    table = prepared(SMALL)
    assert table.predict(longer) == table.predict(SMALL)


def test_unknown_pieces_are_measured_once_in_both_memory_formats() -> None:
    table = empty()
    table.measure([SMALL, repeated(8, "branched_conv", 5)])
    known = table.figures.figures
    assert set(known.ms) == {table.key(piece, each) for piece in parts(SMALL) for each in MEMORY_FORMATS}
    assert f"{CHAIN} branched_conv 8ch 16x16 channels_last" in known.ms
    assert 0 < table.predict(SMALL) < table.predict(repeated(8, "branched_conv", 5))
    assert table.figures.figures is known


def test_what_a_narrower_piece_shows_to_be_hopeless_is_extrapolated() -> None:
    wide = repeated(64, "residual_relu", 16, upsampler="two_step")
    table = empty(hopeless_ms=1e-6)
    predicted = table.predict(wide)
    assert all(" 8ch " in key for key in table.figures.figures.ms), "a hopeless piece was measured"
    assert set(table.extrapolated(wide)) == {piece.name for piece in parts(wide)}
    for piece in parts(wide):
        share = work_of(piece) / work_of(piece.at(8))
        for each in MEMORY_FORMATS:
            assert table.piece_ms(piece, each) == pytest.approx(share * table.figures.ms(table.key(piece.at(8), each)))
    assert predicted > table.predict(repeated(32, "residual_relu", 16, upsampler="two_step"))
    assert table.extrapolated(repeated(8, "residual_relu", 1, upsampler="two_step")) == ()


def test_what_is_hopeful_is_measured() -> None:
    table = empty(hopeless_ms=1e6)
    assert table.extrapolated(repeated(16, "idle", 1)) == ()
    assert all(" 8ch " in key or " 16ch " in key for key in table.figures.figures.ms)


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
    samples = [Sample(each, lawful(table, each)) for each in networks[:40]]
    corrected = table.corrected(samples)
    scale = statistics.median(sample.runtime_ms / table.predict(sample.architecture) for sample in samples)
    truth = [lawful(table, each) for each in networks[40:]]
    learned = compared([corrected.predict(each) for each in networks[40:]], truth)
    scaled = compared([scale * table.predict(each) for each in networks[40:]], truth)
    assert learned.median < 0.02 < scaled.median
    error = corrected.error()
    assert error is not None
    assert error.median < 0.02
    assert error.spearman is not None
    assert error.spearman > 0.99


def test_the_error_is_that_of_fits_without_the_network() -> None:
    networks = drawn(FEWEST_FITTED + 2)
    table, rng = prepared(*networks), random.Random(0)
    samples = [Sample(each, rng.uniform(0.5, 2) * table.predict(each)) for each in networks]
    explicit = [
        table.corrected(samples[:index] + samples[index + 1 :]).predict(left_out)
        for index, left_out in enumerate(networks)
    ]
    assert table.corrected(samples).error() == compared(explicit, [sample.runtime_ms for sample in samples])


def test_one_sample_tells_nothing_of_the_error_and_none_are_refused() -> None:
    table = prepared(SMALL)
    corrected = table.corrected([Sample(SMALL, 7.0)])
    assert corrected.predict(SMALL) == pytest.approx(7.0)
    assert corrected.error() is None
    with pytest.raises(InputError, match="one measured network or more"):
        table.corrected([])


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=1, max_size=12),
    st.lists(st.floats(-9, 9), max_size=2),
)
@settings(max_examples=30)
def test_a_correction_never_goes_beyond_the_samples(rows: list[tuple[float, float]], far: list[float]) -> None:
    ratios = [first - second for first, second in rows]
    factor = fitted(rows, ratios).factor([*far, 0.0, 0.0][:2])
    assert min(ratios) - 1e-9 <= np.log(factor) <= max(ratios) + 1e-9


@given(st.lists(st.floats(0.5, 2), min_size=1, max_size=9))
@settings(max_examples=30)
def test_a_drift_of_the_clock_is_taken_out(speeds: list[float]) -> None:
    samples = [Sample(SMALL, 10 * speed, 5 * speed) for speed in speeds]
    assert at_one_speed(samples) == pytest.approx([10 * statistics.median(speeds)] * len(speeds))


def test_without_a_reference_a_runtime_stays_as_it_is() -> None:
    assert at_one_speed([Sample(SMALL, 10.0), Sample(SMALL, 8.0, 2.0)]) == [10.0, 8.0]


@pytest.mark.parametrize("times", [(0.0,), (math.nan,), (1.0, -1.0), (math.inf, 1.0)])
def test_a_sample_has_times_above_zero(times: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="milliseconds above 0"):
        Sample(SMALL, *times)


def test_errors_by_hand() -> None:
    error = compared([1.1, 1.8, 3.0], [1.0, 2.0, 3.0])
    assert (error.networks, error.spearman) == (3, pytest.approx(1.0))
    assert error.median == pytest.approx(0.1)
    text = "predicted runtimes, on 3 networks it did not see: median error 10.0 %, nine of ten within 20.0 %"
    assert in_words(PredictionError(3, 0.1, 0.2, None)) == text
    assert in_words(PredictionError(3, 0.1, 0.2, 0.5)) == f"{text}, Spearman 0.500"
    assert "no predicted runtime" in in_words(None)


def test_pieces_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = open_table(CPU, "float32", SIZE)
    predicted = first.predict(SMALL)
    first.save()
    (file,) = (tmp_path / "paretosr").iterdir()
    assert file.name.startswith("pieces-")
    again = open_table(CPU, "float32", SIZE)
    assert again.figures.figures == first.figures.figures
    assert again.predict(SMALL) == predicted
    elsewhere = open_table(CPU, "float32", (32, 16), path=file)
    assert not elsewhere.known(next(iter(parts(SMALL))))

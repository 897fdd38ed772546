"""Table 2, by hand and against the published one."""

import pytest

from baselines.challenge_table.correlation import correlations, in_table_2
from baselines.challenge_table.published import row, rows
from baselines.challenge_table.record import Measured
from baselines.challenge_table.rows import Row
from sr.measure.complexity import Complexity
from sr.measure.latency import Runtime
from sr.measure.measurement import Measurement
from sr.measure.target import Conditions

PLACE = Conditions("device", "driver", "versions", 2, (256, 256), "float32")


def measured(params: int, activations: int, runtime_ms: float) -> Measured:
    """Return a row with those figures."""
    complexity = Complexity(params, 1, 1, activations, 1, 100)
    runtime = Runtime(runtime_ms, runtime_ms, runtime_ms, 12, reliable=True, memory_format="contiguous")
    return Measured(Measurement(complexity, runtime, PLACE, 1.0))


def listed(system: str, name: str) -> Row:
    """Return a row of the table without counts."""
    published = next((each for each in rows() if each.system == system), None)
    return Row(system, None, name, published, None, None, "")


def test_the_published_table_2_stands_beside():
    published = {each.metric: each.published for each in correlations([], {})}
    assert {metric: round(value, 4) for metric, value in published.items() if value is not None} == {
        "params": 0.1734,
        "FLOPs": 0.2397,
        "activations": 0.8737,
        "memory": 0.6671,
    }
    assert list(published)[4:] == ["multi-adds", "convs", "runtime in Table 1"]


def test_21_rows_are_correlated():
    assert sum(each.in_table_2 for each in rows()) == 21
    assert not row("FSSR").in_table_2
    assert in_table_2(listed("RFDN", "rfdn"))
    assert not in_table_2(listed("SPAN", "span"))


def test_correlations_by_hand():
    table = [listed("RFDN", "rfdn"), listed("IMDN", "imdn"), listed("PAN", "pan"), listed("SPAN", "span")]
    found = {
        each.metric: each
        for each in correlations(
            table,
            {
                "rfdn": measured(10, 3, 1.0),
                "imdn": measured(20, 2, 2.0),
                "pan": measured(30, 1, 3.0),
                "span": measured(40, 4, 0.5),
            },
        )
    }
    assert found["params"].challenge == pytest.approx(1)
    assert found["activations"].challenge == pytest.approx(-1)
    # Ranks 1 2 3 4 and 2 3 4 1: 1 - 6 * (1 + 1 + 1 + 9) / 60.
    assert found["params"].everything == pytest.approx(-0.2)
    assert found["convs"].everything is None
    # Table 1 has 37, 50 and 66 ms for the three.
    assert found["runtime in Table 1"].challenge == pytest.approx(1)


def test_rows_without_a_runtime_are_left_out():
    table = [listed("RFDN", "rfdn"), listed("IMDN", "imdn"), listed("PAN", "pan")]
    kept = {"rfdn": measured(1, 1, 1.0), "imdn": measured(2, 2, 2.0), "pan": Measured(problem="does not fit")}
    (found,) = [each for each in correlations(table, kept) if each.metric == "params"]
    assert found.challenge == pytest.approx(1)

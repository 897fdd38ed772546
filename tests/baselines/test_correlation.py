"""Table 2, by hand and against the published one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.correlation import METRICS, correlations, in_table_2, rank_correlation
from baselines.published import row, rows
from baselines.rows import Row
from baselines.runtimes import Measured
from sr.complexity import Complexity
from sr.latency import Conditions, Runtime
from sr.measurement import Measurement

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
    assert list(published) == list(METRICS)


def test_21_rows_are_correlated():
    assert sum(in_table_2(each) for each in rows()) == 21
    assert not in_table_2(row("FSSR"))
    assert not in_table_2(None)


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


@given(st.lists(st.tuples(st.floats(1, 1e6), st.floats(1, 1e6)), min_size=2, max_size=20))
def test_a_rank_correlation_is_symmetric_and_within_one(pairs):
    first, second = zip(*pairs, strict=True)
    found = rank_correlation(first, second)
    assert found == pytest.approx(rank_correlation(second, first))
    if found is not None:
        assert -1 - 1e-9 <= found <= 1 + 1e-9
        assert rank_correlation(first, first) == pytest.approx(1)


def test_tied_values_share_their_rank():
    # Ranks 1.5 1.5 3 and 1 2 3: covariance 1.5, variances 1.5 and 2.
    assert rank_correlation([5, 5, 9], [1, 2, 3]) == pytest.approx(1.5 / 3**0.5)

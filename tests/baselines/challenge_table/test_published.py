"""The published figures, and the rank correlations that prove their transcription."""

import pytest

from baselines.challenge_table.published import PRINTED_UNIT, rank_correlation, row, rows
from sr.errors import InputError


@pytest.mark.parametrize(
    ("column", "expected"),
    [("params_m", 0.1734), ("flops_g", 0.2397), ("activations_m", 0.8737), ("memory_m", 0.6671)],
)
def test_table_2_follows_from_table_1(column, expected):
    assert round(rank_correlation(column), 4) == expected


def test_there_are_27_rows_of_which_16_are_ranked():
    assert len(rows()) == 27
    assert len({each.system for each in rows()}) == 27
    assert sum(each.ranked for each in rows()) == 16


def test_published_unverified_and_missing_cells_are_told_apart():
    assert row("RFDN").status("params_m") == "published"
    assert row("LMSR").status("runtime_s") == "missing"
    assert row("LMSR").status("params_m") == "unverified"
    assert row("LMSR").status("psnr_val") == "published"
    assert row("FSSR").value("flops_g") is None


def test_an_unverified_cell_holds_a_figure():
    for each in rows():
        assert each.unverified <= set(PRINTED_UNIT)
        assert all(each.value(column) is not None for column in each.unverified), each.system


def test_extra_data_may_be_unknown():
    assert row("RFDN").extra_data is True
    assert row("MAFFSRN").extra_data is False
    assert row("neptuneai").extra_data is None


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="got 'EDSR'"):
        row("EDSR")
    with pytest.raises(InputError, match="got 'team'"):
        row("RFDN").value("team")

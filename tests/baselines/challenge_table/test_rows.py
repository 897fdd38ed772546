"""Which row is which baseline, and the status that follows from the counts alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines import BASELINES, build
from baselines.challenge_table.published import Published, row, rows
from baselines.challenge_table.rows import activation_outputs, conv_modules, status, table_rows
from sr.errors import InputError
from sr.measure.complexity import Complexity, count

RFDN = Complexity(433_448, 27_033_648_384, 27_102_622_560, 112_034_240, 64, 0)
FIGURES_LEFT = ("params_m", "flops_g", "activations_m", "convs")
# Systems whose every published figure is known to be met, by the counts of their own code or by arithmetic.
KNOWN_EXACTLY = {
    "RFDN", "FIMDN", "PAN", "LatticeNet", "GCSR", "MAFFSRN", "LarvaNet", "LMSR", "neptuneai", "SRRN", "IMDN",
    "MSRResNet",
}  # fmt: skip


@pytest.fixture(scope="module")
def counted():
    """Return the whole table by system."""
    return {each.system: each for each in table_rows()}


def without(published: Published, *columns: str) -> Published:
    """Return a row that lacks the figures of some columns."""
    return replace(published, **dict.fromkeys(columns))


def test_every_row_of_table_1_is_a_baseline_or_says_why_not():
    systems = [entry.system for entry in BASELINES.values()]
    assert len(set(systems)) == len(systems)
    for each in rows():
        assert (each.system in systems) == (each.not_built == ""), each.system


def test_the_table_has_table_1_in_its_order_and_then_every_other_baseline(counted):
    systems = list(counted)
    assert systems[:27] == [each.system for each in rows()]
    names = [each.name for each in counted.values() if each.name]
    assert sorted(names) == sorted(BASELINES)
    assert all(counted[system].published is None for system in systems[27:])


@pytest.mark.parametrize("system", ["AHC-SRN", "FSSR"])
def test_what_cannot_be_built_is_listed_without_counts(counted, system):
    assert counted[system].name is None
    assert counted[system].status == "none"
    line = counted[system].to_json()
    assert line["team"] == row(system).team
    assert [line[key] for key in ("params", "challenge_flops", "multi_adds", "activations", "convs")] == [None] * 5
    assert line["note"] == row(system).not_built != ""


@pytest.mark.parametrize("system", sorted(KNOWN_EXACTLY))
def test_known_systems_are_exact(counted, system):
    assert counted[system].status == "exact", counted[system].distances


def test_counts_are_integers_and_those_of_the_network(counted):
    line, expected = counted["RFDN"].to_json(), count(build("rfdn"))
    for name in ("params", "challenge_flops", "multi_adds", "activations", "convs"):
        assert type(line[name]) is int
        assert line[name] == getattr(expected, name)
    assert line["deployed"]["memory"] == expected.memory


def test_norms_are_counted_as_the_challenge_did(counted):
    maffsrn = counted["MAFFSRN"]
    assert maffsrn.counts.params == 441_706
    assert maffsrn.deployed.params == count(build("maffsrn")).params < maffsrn.counts.params
    assert f"{maffsrn.deployed.params:,}" in maffsrn.note


def test_larvanets_published_convolutions_include_those_of_its_legs(counted):
    larvanet = counted["LarvaNet"]
    assert (larvanet.counts.convs, larvanet.deployed.convs) == (68, 60)
    assert "68: 60 run" in larvanet.note
    assert larvanet.counts.params == larvanet.deployed.params == 1_289_808


def test_lmsrs_own_flops_have_biases_and_activations(counted):
    # 1,151,424 multiply-adds, 2,416 biases and 1,536 activations for each of 256 x 256 pixels.
    assert counted["LMSR"].counts.challenge_flops == (1_151_424 + 2_416 + 1_536) * 256**2
    assert counted["LMSR"].deployed.challenge_flops < counted["LMSR"].counts.challenge_flops


def test_a_status_is_none_exactly_where_nothing_is_there_to_compare(counted):
    for each in counted.values():
        assert (each.status == "none") == (each.published is None or each.counts is None)


def test_a_reconstruction_tells_its_distances(counted):
    distances = counted["Dilut-Net"].distances
    assert counted["Dilut-Net"].status == "near"
    assert distances["convs"] == 0
    assert 0 < distances["params_m"] < 0.01


def test_exact_is_one_unit_of_the_last_printed_digit():
    assert status(RFDN, row("RFDN")) == "exact"
    assert status(replace(RFDN, params=434_000), row("RFDN")) == "exact"
    assert status(replace(RFDN, params=434_100), row("RFDN")) == "near"
    assert status(replace(RFDN, convs=66), row("RFDN")) == "inspired"


@given(column=st.sampled_from(["params", "challenge_flops", "activations"]), percent=st.floats(1.2, 50))
def test_beyond_a_percent_is_inspired(column, percent):
    farther = replace(RFDN, **{column: round(getattr(RFDN, column) * (1 + percent / 100))})
    assert status(farther, row("RFDN")) == "inspired"


@given(column=st.sampled_from(["challenge_flops", "activations"]), percent=st.floats(0.2, 0.9))
def test_within_a_percent_is_near(column, percent):
    nearby = replace(RFDN, **{column: round(getattr(RFDN, column) * (1 + percent / 100))})
    assert status(nearby, row("RFDN")) == "near"


def test_a_figure_of_the_teams_own_decides_only_where_there_is_no_other():
    claimed = replace(row("RFDN"), convs=70.0, unverified=frozenset({"convs"}))
    assert status(RFDN, claimed) == "exact"
    assert status(RFDN, replace(claimed, unverified=frozenset(FIGURES_LEFT))) == "inspired"


def test_two_figures_prove_nothing():
    assert status(RFDN, without(row("RFDN"), "flops_g", "activations_m")) == "inspired"
    assert status(RFDN, without(row("RFDN"), "flops_g")) == "exact"
    assert status(RFDN, without(row("RFDN"), *FIGURES_LEFT)) == "none"


def test_systems_are_chosen_by_either_name_in_any_case():
    assert [each.name for each in table_rows(["sPaN", "MAFFSRN", "larvanet"])] == ["maffsrn", "larvanet", "span"]
    assert [each.system for each in table_rows(["fssr"])] == ["FSSR"]
    with pytest.raises(InputError, match=r"one of RFDN, .* got 'edsr'"):
        table_rows(["rfdn", "edsr"])


def test_modules_are_counted_once_and_activations_by_element():
    network = build("larvanet", num_block=1)
    assert conv_modules(network) == 1 + 4 * 2 + 1 + 2
    # ReLU modules: one in each of four blocks and one in the tail, 48 channels each.
    assert activation_outputs(network, side=16) == 5 * 48 * 16 * 16

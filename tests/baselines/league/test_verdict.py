"""What came out of a league, in sentences."""

from dataclasses import replace

from baselines.league.standings import Standing, Standings
from baselines.league.verdict import verdict_lines
from sr.measure.quality import Quality


def judged(standing: Standing, *psnr: float) -> Standing:
    """Return a network with another PSNR for each of its first seeds, and no other seed."""
    results = [
        replace(result, quality={"Set14": Quality(each, 27.55, 0.7, 14)})
        for result, each in zip(standing.results, psnr, strict=False)
    ]
    return replace(standing, results=tuple(results))


def test_the_verdict_names_the_best_by_hand_within_the_budget_and_compares_with_it(standings: Standings) -> None:
    assert verdict_lines(standings, 100) == [
        "On Set14 after 100 steps ECBSR 16 is the best designed by hand within 40 ms: 25.55 dB, the mean over 2 seeds; "
        "over brightness (Y) 27.55 dB, the mean over 2 seeds.",
        "On Set14 after 100 steps searched <a> is 0.200 dB better than ECBSR 16; over brightness (Y) it is 0.200 dB "
        "better.",
        "On Set14 after 100 steps pruned p is 0.150 dB worse than ECBSR 16; over brightness (Y) it is 0.150 dB worse, "
        "by one seed.",
        "The PSNR of ECBSR 16 on Set14 is reached by searched <a> in 36.0 ms, 1.03 times its 35.0 ms.",
    ]
    assert verdict_lines(replace(standings, budget_ms=10.0), 100) == []


def test_a_best_by_hand_that_was_trained_once_is_said_to_be_of_one_seed(standings: Standings) -> None:
    by_hand, *others = standings.standings
    once = replace(standings, standings=(judged(by_hand, 25.5), *others))
    assert "ECBSR 16 is the best designed by hand within 40 ms: 25.50 dB, one seed; over" in verdict_lines(once, 100)[0]


def test_a_difference_that_seeds_make_too_is_said_to_be_one(standings: Standings) -> None:
    by_hand, _, searched, _ = standings.standings
    close = replace(standings, standings=(by_hand, judged(searched, 25.56, 25.66)))
    _, line, _ = verdict_lines(close, 100)
    assert "0.060 dB better than ECBSR 16 (less than its trainings differ by); over" in line
    assert line.endswith("over brightness (Y) it is as good.")


def test_over_brightness_another_one_may_be_the_best_by_hand(standings: Standings) -> None:
    by_hand, _, searched, _ = standings.standings
    brighter = [
        replace(each, quality={"Set14": replace(each.quality["Set14"], psnr=25.0, psnr_y=28.0)})
        for each in by_hand.results
    ]
    other = replace(by_hand, title="abpn 8", results=tuple(brighter))
    first, line, _ = verdict_lines(replace(standings, standings=(by_hand, other, searched)), 100)
    assert first.endswith("over brightness (Y) it is ABPN 8: 28.00 dB, the mean over 2 seeds.")
    assert "is 0.200 dB better than ECBSR 16; over brightness (Y) it is 0.250 dB worse than ABPN 8." in line


def test_equal_psnr_is_looked_for_among_all_lengths_of_runtime(standings: Standings) -> None:
    by_hand, _, searched, _ = standings.standings
    runtime = replace(searched.measurement.runtime, median_ms=26.25, p90_ms=28.0)
    faster = replace(searched, title="faster", measurement=replace(searched.measurement, runtime=runtime))
    both = replace(standings, standings=(by_hand, searched, faster))
    assert verdict_lines(both, 100)[-1] == (
        "The PSNR of ECBSR 16 on Set14 is reached by faster in 26.2 ms, 0.75 times its 35.0 ms."
    )
    worse = replace(standings, standings=(by_hand, judged(searched, 25.0, 25.0)))
    assert not any("is reached by" in line for line in verdict_lines(worse, 100))

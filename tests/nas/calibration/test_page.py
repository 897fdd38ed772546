"""The page of a calibration: every score and every network is on it."""

from nas.calibration.page import calibration_page
from nas.calibration.ranking import Ranking
from nas.calibration.scores import TrainedNetwork
from nas.successive_halving import Rung
from search_spaces.msrresnet import repeated
from sr.measure.complexity import Complexity

RANKINGS = (
    Ranking("rung 0", 0.75, 0.5, 0.9, 3, 0.0625),
    Ranking("params", 0.25, -0.1, 0.6, 2, 0.0),
    Ranking("constant", None, None, None, 1, 0.0),
)


def test_page_names_scores_networks_and_what_is_poor() -> None:
    complexity = Complexity(1000, 2_000_000_000, 0, 3_000_000, 4, 10**6)
    networks = [
        TrainedNetwork(repeated(8, "idle", count), complexity, 25.0 + count, 9.0, (Rung(5, 24.5, 1.0),), 23.25)
        for count in (1, 2)
    ]
    page = calibration_page(RANKINGS, networks, 2000)
    for ranking in RANKINGS:
        assert ranking.describe() in page
    assert "Which cheap score to trust" in page
    assert "in full after 2,000 steps" in page
    assert "0.50 to 0.90" in page
    assert "6.2" in page
    assert page.count("poor") == 2
    # The best network first, each with its cheap scores.
    assert page.index("27.000") < page.index("26.000")
    assert page.count("24.500") == page.count("23.250") == 2
    assert all(network.architecture.summary in page for network in networks)

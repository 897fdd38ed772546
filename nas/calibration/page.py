"""The page of a calibration: what each cheap score is worth, and the networks that it was judged by."""

from collections.abc import Sequence

from nas.calibration.ranking import Ranking
from nas.calibration.scores import TrainedNetwork
from sr.report.page import digits, document, section, table


def calibration_page(rankings: Sequence[Ranking], networks: Sequence[TrainedNetwork], steps: int) -> str:
    """Return the page; steps: of a full training."""
    body = section(
        "What each cheap score is worth",
        "The interval is a bootstrap's over the networks. A regression predicts each network from all the others.",
        _scores(rankings),
    ) + section(
        "The networks", f"PSNR in dB on the validation crops; in full after {steps:,} steps.", _networks(networks)
    )
    return document("Which cheap score to trust", [each.describe() for each in rankings], body)


def _scores(rankings: Sequence[Ranking]) -> str:
    headings = (
        "score", "Kendall's tau", "95 % interval", "best 3 among its first 6", "cost (% of a full training)", "",
    )  # fmt: skip
    rows = [
        (
            each.name,
            "" if each.tau is None else f"{each.tau:.2f}",
            "" if each.low is None else f"{each.low:.2f} to {each.high:.2f}",
            str(each.top3_in_first6),
            f"{100 * each.cost_share:.1f}",
            "poor" if each.is_poor else "",
        )
        for each in rankings
    ]
    return table(headings, rows, [""] * len(rows))


def _networks(networks: Sequence[TrainedNetwork]) -> str:
    headings = ("in full", "multi-adds (G)", "activations (M)", *networks[0].cheap_psnr, "architecture")
    rows = [
        (
            f"{each.psnr:.3f}",
            digits(each.complexity.multi_adds / 1e9),
            digits(each.complexity.activations / 1e6),
            *(f"{psnr:.3f}" for psnr in each.cheap_psnr.values()),
            each.architecture.summary,
        )
        for each in sorted(networks, key=lambda each: -each.psnr)
    ]
    return table(headings, rows, [""] * len(rows))

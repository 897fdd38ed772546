"""What docs/results.md and the README say of leagues: made of their files and of the words that people wrote."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from baselines.league.archive import Archive, read_archive
from baselines.league.cells import headings, markdown_table, place_lines, rows, spread_text
from baselines.league.plot import league_svg
from baselines.league.standings import METRICS, Standing, Standings, psnr, psnr_y
from baselines.league.verdict import rank_text, verdict_lines
from sr.errors import InputError
from sr.progress import duration
from sr.report.page import digits
from sr.scale import DEFAULT_SCALE

_RESULTS = "../benchmarks/results"
_PREDICTS = (
    "Spearman's rank correlation of counts with the runtime, over all networks of a league: 1 where sorting by the "
    "count is sorting by runtime, 0 where the one says nothing of the other. FLOPs is the count of the AIM 2020 "
    "challenge."
)
# Networks in the README's table; all of them stand in the page.
_SHOWN = 10
# Between these two comments stands the table of the league whose file the first one names.
_TABLE = re.compile(r"(<!-- table of (\S+) -->\n).*?(<!-- end of the table -->)", re.DOTALL)


def written(files: Sequence[Path], words: Path, out: Path, readme: Path) -> dict[Path, str]:
    """Return the text of every file that is made of leagues.

    Args:
        files: Of the leagues.
        words: What people say of them, in Markdown.
        out: The folder of the page and the plots.
        readme: In which tables stand between marks.

    Raises:
        InputError: Where one holds something else, or two have the same name.
    """
    archives = {path.name: read_archive(path) for path in files}
    if len(archives) < len(files):
        raise InputError(f"files of leagues must have names of their own, got {', '.join(path.name for path in files)}")
    leagues = _own_sections(archives).items()
    plots = {out / svg_name(name): league_svg(each.standings) for name, each in leagues if _is_drawn(each.standings)}
    page = results_page(archives, words.read_text(encoding="utf-8"))
    return {out / "results.md": page, **plots, readme: with_tables(readme.read_text(encoding="utf-8"), archives)}


def _own_sections(archives: Mapping[str, Archive]) -> dict[str, Archive]:
    """Return the leagues in their order, of those of the same networks the one whose engine they were chosen for.

    That is the one in which the most keep to the budget; of the others only what predicts runtime is said.
    """
    found: dict[tuple[float, frozenset[str]], str] = {}
    for name in _in_order(archives):
        standings = archives[name].standings
        networks = (standings.budget_ms, frozenset(each.title for each in standings.standings))
        if networks not in found or _within(archives[found[networks]]) < _within(archives[name]):
            found[networks] = name
    return {name: archives[name] for name in _in_order(archives) if name in found.values()}


def _in_order(archives: Mapping[str, Archive]) -> list[str]:
    """Return the names of leagues, the smallest budget first."""
    return sorted(archives, key=lambda name: (archives[name].standings.budget_ms, name))


def _within(archive: Archive) -> int:
    """Return how many networks keep to the budget."""
    return sum(map(archive.standings.within, archive.standings.standings))


def _is_drawn(standings: Standings) -> bool:
    """Return whether a league has a plot."""
    return bool(standings.ranked(standings.main_length))


def results_page(archives: Mapping[str, Archive], words: str) -> str:
    """Return docs/results.md.

    Args:
        archives: Leagues by the names of their files.
        words: What people say of them, as Markdown: it stands first.
    """
    parts = [
        "# Networks of one runtime budget, trained alike",
        "<!-- Made by benchmarks/league_results.py of league-*.json and league.md in benchmarks/results. -->",
        words.strip(),
    ]
    for name, archive in _own_sections(archives).items():
        parts += _league(name, archive)
    if archives:
        parts += ["## What predicts runtime", _PREDICTS, _correlations(archives)]
    else:
        parts.append("No league has been kept yet.")
    return "\n\n".join(part for part in parts if part) + "\n"


def svg_name(name: str) -> str:
    """Return what the plot of the league in a file is called."""
    return Path(name).with_suffix(".svg").name


def _league(name: str, archive: Archive) -> list[str]:
    """Return the section of one league."""
    standings = archive.standings
    networks = "Networks" if standings.scale == DEFAULT_SCALE else f"x{standings.scale} networks"
    parts = [f"## {networks} {_place(standings)}"]
    if _is_drawn(standings):
        parts.append(f"![{_alternative(standings)}]({svg_name(name)})")
    parts += place_lines(standings)
    for steps in reversed(standings.lengths):
        verdict = "\n".join(f"- {line}" for line in verdict_lines(standings, steps))
        table = markdown_table(headings(standings), rows(standings, steps))
        parts += [f"### {steps:,} steps, {_place(standings)}", verdict, table]
    return [*parts, _origin(name, archive)]


def _place(standings: Standings) -> str:
    """Return the budget and the engine that it holds in."""
    engines = {each.measurement.conditions.engine for each in standings.standings}
    return f"within {standings.budget_ms:g} ms in {' and '.join(sorted(engines)) or 'no engine'}"


def _alternative(standings: Standings) -> str:
    """Return what the plot shows, for those who do not see it."""
    return (
        f"PSNR on {standings.val[-1]} against runtime after {standings.main_length:,} steps: networks designed by "
        "hand, searched and pruned, and the budget"
    )


def _origin(name: str, archive: Archive) -> str:
    """Return how the figures of a league came about."""
    rates = ", ".join(f"{rate:g}" for rate in archive.rates)
    took = duration(sum(each.seconds for each in archive.trainings))
    trained_on = " and ".join(sorted({each.trained_on for each in archive.trainings if each.trained_on}))
    place = f" (on {trained_on})" if trained_on else ""
    return (
        f"{archive.date.partition('T')[0]}, PyTorch {archive.torch} and Python {archive.python}, {archive.pictures} "
        f"pictures to train on. The steps of {len(archive.trainings)} trainings{place} took {took}, one after another; "
        f"before them each network chose its learning rate, of {rates}, by trainings of 1/{archive.share} of the "
        f"steps, which takes {len(archive.rates) / archive.share:g} times as long as one of its trainings. "
        f"The command, of whose folders the last names stand here ([all figures]({_RESULTS}/{name})):\n\n"
        f"`{archive.command}`"
    )


def _correlations(archives: Mapping[str, Archive]) -> str:
    """Return the table of what predicts runtime, a row for each league and engine."""
    lines = []
    for name in _in_order(archives):
        standings = archives[name].standings
        if standings.standings:
            place = standings.standings[0].measurement.conditions
            found = standings.correlations()
            unsteady = sum(not each.measurement.runtime.reliable for each in standings.standings)
            lines.append((
                f"[{standings.budget_ms:g} ms]({_RESULTS}/{name})", place.engine, place.device,
                str(len(standings.standings)), str(unsteady), *(rank_text(found[metric]) for metric in METRICS),
            ))  # fmt: skip
    return markdown_table(("league", "engine", "device", "networks", "not steady", *METRICS), lines)


def readme_table(standings: Standings) -> str:
    """Return the best networks within the budget by the main length of training, on the last pictures, and bicubic.

    Where some were trained for longer, what they came to stands beside it.
    """
    if not standings.lengths:
        return "Nothing has been trained yet."
    steps, val, longest = standings.main_length, standings.val[-1], standings.lengths[-1]
    head = ("network", "from", "runtime, p90 (ms)", f"{val} RGB (dB)", f"{val} Y (dB)", "seeds")
    bicubic = ("bicubic interpolation", "", "", *(f"{of(standings.bicubic[val]):.2f}" for of in (psnr, psnr_y)), "")
    within = [each for each in standings.ranked(steps) if standings.within(each)][:_SHOWN]
    lines = [head, *(_readme_row(each, steps, val) for each in within), bicubic]
    if longest > steps:
        more = [f"RGB / Y after {longest:,} steps", *(_longer(each, longest, val) for each in within), ""]
        lines = [(*line, cell) for line, cell in zip(lines, more, strict=True)]
    return markdown_table(lines[0], lines[1:])


def _readme_row(standing: Standing, steps: int, val: str) -> tuple[str, ...]:
    """Return what the README says of one network."""
    runtime = standing.measurement.runtime
    figures = (spread_text(standing.spread(steps, val, of)) for of in (psnr, psnr_y))
    taken = f"{digits(runtime.median_ms)}, {digits(runtime.p90_ms)}"
    return (standing.name, standing.kind, taken, *figures, str(len(standing.of(steps))))


def _longer(standing: Standing, steps: int, val: str) -> str:
    """Return what a network came to by a longer training, nothing where it had none."""
    both = [standing.spread(steps, val, of) for of in (psnr, psnr_y)]
    return "" if None in both else " / ".join(map(spread_text, both))


def with_tables(text: str, archives: Mapping[str, Archive]) -> str:
    """Return a text with the tables between its marks made anew; one of a file that is not there stays as it is.

    Args:
        text: In which a table stands between `<!-- table of league-40ms.json -->` and `<!-- end of the table -->`.
        archives: Leagues by the names of their files.
    """

    def anew(found: re.Match[str]) -> str:
        archive = archives.get(found[2])
        return found[0] if archive is None else f"{found[1]}{readme_table(archive.standings)}\n{found[3]}"

    return _TABLE.sub(anew, text)

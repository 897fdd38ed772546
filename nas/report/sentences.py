"""What was asked, what came out, and how: a search in sentences for people who do not know how it works."""

from collections import Counter

from nas.playoff import Playoff
from nas.report.ending import Ending
from nas.report.predictions import early_steps
from nas.report.run import Run
from nas.report.vocabulary import described
from nas.trial import Trial
from nas.verdict import describe_kept
from sr.lr_size import size_text
from sr.progress import duration
from sr.report.page import digits

# How candidates were judged, by `nas.config.fidelity`.
_FIDELITY = {
    "rungs": "short trainings, from which the best went on",
    "train": "one full training each",
    "supernet": "weights taken from one network that contains them all",
}


def headline(run: Run) -> str:
    """Return what came out, as the heading."""
    scale = f"\N{MULTIPLICATION SIGN}{run.scale}"
    if run.ending is not None:
        runtime = run.ending.measurement.runtime
        gain = f"{run.ending.gain:+.2f}\N{NO-BREAK SPACE}dB"
        return f"{scale} super-resolution in {digits(runtime.median_ms)}\N{NO-BREAK SPACE}ms, {gain} against bicubic"
    if run.is_going_on:
        return f"Searching for {scale} super-resolution within {run.budget_ms:g}\N{NO-BREAK SPACE}ms"
    return f"No {scale} network keeps to {run.budget_ms:g} ms here"


def asked_and_got(run: Run) -> str:
    """Return in one sentence what was asked and what came out."""
    place = run.conditions
    asked = (
        f"You asked for the best \N{MULTIPLICATION SIGN}{run.scale} super-resolution network that keeps to "
        f"{run.budget_ms:g} ms ({_rate(run.budget_ms)} frames a second) for a {size_text(place.lr_size)} picture on "
        f"{place.device} in {place.engine}"
    )
    if run.ending is not None:
        ours = run.ending.measurement.runtime
        kept = describe_kept(run.ending.measurement, run.ending.calm_p90_ms, run.budget_ms)
        over = "" if run.ending.measurement.within(run.budget_ms) else f", which is {kept}"
        return (
            f"{asked}; you got one that takes {digits(ours.median_ms)} ms, nine runs of ten within "
            f"{digits(ours.p90_ms)}{over}, and comes to {run.ending.quality.psnr:.2f} dB where bicubic interpolation "
            f"comes to {run.ending.bicubic.psnr:.2f}."
        )
    if not run.trained:
        return f"{asked}; {_fastest(run)}."
    best = max(run.trained, key=lambda each: each.sort_key)
    judged = "after a short training" if best.rungs and best.rungs[-1].steps else "with shared weights"
    state = "so far" if run.is_going_on else "none of those trained was within it when measured again, and"
    return (
        f"{asked}; {state} the best of {len(run.measured)} candidates takes {digits(best.runtime_ms)} ms at "
        f"{best.last_psnr:.2f} dB {judged}."
    )


def _fastest(run: Run) -> str:
    """Say which measured network is the fastest, where none was within the budget."""
    if not run.measured:
        return "nothing has been measured yet"
    fastest = min(run.measured, key=lambda each: each.p90_ms)
    return f"the fastest of {len(run.measured)} candidates takes {digits(fastest.runtime_ms)} ms"


def facts(run: Run) -> list[tuple[str, str]]:
    """Return the figures of the shipped network that matter most, each with what it is."""
    if run.ending is None:
        pace = _pace(run)
        going_on = [(f"{run.worked_on.in_hand}", "in hand")] if run.is_going_on else []
        workers = run.settings.get("workers")
        at_once = [(f"{workers}", "trainings at once")] if run.is_going_on and workers else []
        return [
            (f"{len(run.measured):,}", "candidates measured"), (f"{len(run.trained):,}", "of them trained"),
            *going_on, *at_once, *([(pace, "candidates an hour")] if pace else []),
        ]  # fmt: skip
    ours, quality = run.ending.measurement, run.ending.quality
    return [
        (f"{digits(ours.runtime.median_ms)} ms", f"runtime; the budget is {run.budget_ms:g}"),
        (f"{_rate(ours.runtime.median_ms)} fps", f"{_sizes(run)}, by the network alone"),
        (f"{quality.psnr:.2f} dB", f"PSNR over RGB, {run.ending.gain:+.2f} against bicubic"),
        (f"{quality.psnr_y:.2f} dB", f"PSNR over brightness, {quality.psnr_y - run.ending.bicubic.psnr_y:+.2f}"),
        (f"{digits(ours.complexity.params / 1e3)} k", "parameters"),
        (f"{len(run.measured):,}", "candidates measured"),
    ]


def _rate(ms: float) -> str:
    """Return how many pictures a second a runtime is, whole ones where there are ten."""
    return f"{1e3 / ms:,.0f}" if ms <= 100 else digits(1e3 / ms)


def _sizes(run: Run) -> str:
    """Return the size of a picture before and after."""
    height, width = run.conditions.lr_size
    return f"{size_text((height, width))} to {size_text((run.scale * height, run.scale * width))}"


def outcome_lines(run: Run) -> list[str]:
    """Return what else is worth knowing of the shipped network."""
    if run.ending is None:
        return []
    ending = run.ending
    lines = [f"The network: {described(ending.architecture)}. Press its star in the plot to see it drawn."]
    if ending.calm_p90_ms is not None:
        lines.append("The device was slower than when calm whenever this was measured: its runtime may be lower.")
    engines = [f"{name} {digits(each.median_ms)} ms ({each.precision})" for name, each in ending.engines.items()]
    lines.append(f"The same network in every engine installed here: {', '.join(engines)}.")
    return [*lines, *_gain_line(run)]


def _gain_line(run: Run) -> list[str]:
    """Say what searching gained over what was there before it, also where that is nothing."""
    kept = run.settings.get("playoff")
    playoff = None if kept is None else Playoff.from_json(kept)
    if playoff is None or playoff.gain is None:
        return []
    if playoff.winner == playoff.control:
        return ["Searching gained nothing over the architectures that every search begins with: of those that were "
                f"trained on side by side one of them, #{playoff.control}, promised most."]  # fmt: skip
    return [f"Searching gained {playoff.gain[0]:+.2f} dB over the best architecture that every search begins with, "
            f"#{playoff.control}, after the same {playoff.steps:,} training steps, and was expected to gain "
            f"{playoff.expected_gain:+.2f} dB by the end of the long training."]  # fmt: skip


def tally(run: Run) -> str:
    """Say how many candidates there were and what became of them."""
    states = Counter(each.state for each in run.trials if each.duplicate_of is None)
    busy = f", {states['put off']:,} put off while the device was busy" if states["put off"] else ""
    longer = sum(len(each.rungs) > 1 for each in run.trained)
    went_on = f", {longer:,} of them longer" if longer else ""
    judged = "trained for a short while" if early_steps(run) else "judged with shared weights"
    tried = states.total() - states["measured"]
    return (
        f"{tried:,} different networks were tried: {states['trained']:,} {judged}{went_on}, "
        f"{states['infeasible']:,} over the budget and never trained, {states['failed']:,} failed{busy}. "
        f"{len(run.front)} are on the front: no other is at once better, faster and smaller in activations."
    )


def plotted_psnr(run: Run) -> str:
    """Say what the PSNR of a candidate is the PSNR of: only what was trained alike can stand on one plot."""
    steps = early_steps(run)
    # Of many validation pictures candidates see a part.
    judged = [each.measurement.quality for each in run.trained if each.measurement is not None]
    pictures = max((each.pictures for each in judged if each is not None), default=0)
    trained = f"after the same {steps:,} training steps" if steps else "with weights taken from one shared network"
    ours = ", the chosen one's too" if run.ending is not None else ""
    return (
        f"Each candidate's PSNR is that {trained}{ours}, on the centres of {pictures} validation pictures: good for "
        f"comparing them, and lower than what a full training reaches.{_why_not_the_best(run)}"
    )


def _why_not_the_best(run: Run) -> str:
    """Say why another candidate within the budget stands above ours, where one does."""
    ours = next((each for each in run.trained if run.ending is not None and each.number == run.ending.number), None)
    if ours is None or all(each.psnr <= ours.psnr or each.p90_ms > run.budget_ms for each in run.trained):
        return ""
    return " Ours was chosen by what longer trainings promised, so that another may stand above it here."


def how(run: Run) -> list[tuple[str, str]]:
    """Return on what, with what and how long the search ran, as names and values."""
    place, recipe = run.conditions, run.settings.get("recipe", {})
    pictures = run.settings["pictures"]
    rows = [
        ("machine", f"{place.device}, {place.threads} threads; {place.driver}"),
        ("versions", place.versions),
        ("runs in", f"{place.engine}, {place.dtype}, one {size_text(place.lr_size)} LR picture at a time"),
        ("budget", f"{run.budget_ms:g} ms, kept by nine runs of ten"),
        ("searched", f"space {run.settings['space']}, sampler {run.settings['sampler']}, candidates judged by "
                     f"{_FIDELITY.get(run.settings['fidelity'], run.settings['fidelity'])}"),
        ("pictures", f"{pictures['train']['count']} to train on; to validate on {pictures['val']['count']}"),
        ("seed", str(recipe.get("seed", "not kept"))),
        ("time", _time(run) + (f"; {pace} candidates an hour" if (pace := _pace(run)) else "")),
        ("finished", "not yet" if run.ending is None else
            "not kept" if run.ending.ended is None else f"{run.ending.ended:%Y-%m-%d %H:%M} UTC"),
    ]  # fmt: skip
    final = run.settings.get("final_recipe")
    if final:
        rows.insert(7, ("long training", f"{final['steps']:,} steps of {final['batch']} patches, {final['loss']}, "
                                         f"learning rate {final['learning_rate']:g}"))  # fmt: skip
    return rows


def _time(run: Run) -> str:
    """Say how long candidates took, and the whole up to the shipped network."""
    ended, began = run.worked_on.ended, run.worked_on.began
    if not ended:
        return "not kept"
    searched = duration(max(ended.values()).total_seconds())
    if run.ending is None or run.ending.ended is None or began is None:
        return f"{searched} on candidates"
    whole = duration((run.ending.ended - began).total_seconds())
    return f"{whole} from the first candidate to the shipped network, {searched} of it on candidates"


def _pace(run: Run) -> str:
    """Return how many candidates are done with in an hour; empty before there is one."""
    seconds = max((each.total_seconds() for each in run.worked_on.ended.values()), default=0.0)
    return f"{3600 * len(run.worked_on.ended) / seconds:,.0f}" if seconds else ""


def candidate_lines(trial: Trial, ending: Ending | None = None) -> list[str]:
    """Return what is said of a candidate where it is pointed at; ending: what the search came to."""
    lines = [trial.architecture.summary]
    if trial.rungs and trial.rungs[0].steps:
        reached = [f"{rung.psnr:.2f} dB after {rung.steps:,} training steps" for rung in trial.rungs]
        lines.append(", ".join(reached))
    if ending is not None and ending.number == trial.number:
        ours = ending.measurement.runtime
        lines.append(f"as shipped {ending.quality.psnr:.2f} dB on whole pictures in {digits(ours.median_ms)} ms")
    if trial.reason:
        lines.append(trial.reason)
    return lines

"""Networks of a space trained in full and scored cheaply; stopped anywhere, an equal calibration goes on."""

import json
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from nas.calibration.page import calibration_page
from nas.calibration.ranking import Ranking
from nas.calibration.scores import TrainedNetwork, rank_scores, train_in_full, with_supernet_scores
from nas.config.calibration import CalibrateConfig
from nas.config.measurement_plan import DEFAULT_PLAN
from nas.device_probe import probe_device, probe_seeds
from nas.evaluate import Setup
from nas.evaluation_setup import load_pictures, make_setup
from nas.remembered import remembered
from nas.samplers.protocol import accept_all
from nas.settings import setting
from nas.successive_halving import Ladder, ladder
from nas.training.executor import executor
from nas.training.pool_speed import measure_pool_speeds
from nas.training.population import Population
from nas.training.supernet import train, untrained
from nas.training.supernet_store import remembered_population, remembered_recipe
from search_spaces.architecture import Architecture
from search_spaces.network import build
from search_spaces.space import SearchSpace
from search_spaces.supernet import Supernet
from sr.checkpoint import provenance
from sr.data.manifest import PICTURES, write_manifests
from sr.errors import InputError
from sr.executors.executor import in_order
from sr.files import write_json, write_text
from sr.measure.latency import Protocol
from sr.measure.target import Conditions
from sr.progress import Message, Report, duration, no_report
from sr.training.autotune import autotune
from sr.training.recipe import Recipe

# Networks a little over the budget are what a search meets too.
_WITHIN = 1.5
# What the supernet and its scores may cost, as a share of training all networks in full.
_SUPERNET_SHARE = 0.08


@dataclass(frozen=True)
class CalibrationResult:
    """What each cheap score is worth on a space, device and data.

    Attributes:
        rankings: One for each score.
        networks: The networks that it was judged by, each with its scores.
        settings: What must be the same for a calibration to go on; JSON values.
        budget_ms: The budget that the networks lie around.
        conditions: What runtimes were predicted for.
        date: When it was finished.
        command: What was typed; empty where nothing was.
        folder: Where calibration.html and calibration.json lie.
    """

    rankings: tuple[Ranking, ...]
    networks: tuple[TrainedNetwork, ...]
    settings: dict[str, Any]
    budget_ms: float
    conditions: Conditions
    date: str
    command: str
    folder: Path

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {
            "rankings": [asdict(each) for each in self.rankings],
            "networks": [each.to_json() for each in self.networks],
            "settings": self.settings,
            "budget_ms": self.budget_ms,
            "device": self.conditions.device,
            "threads": self.conditions.threads,
            "versions": self.conditions.versions,
            "date": self.date,
            "command": self.command,
        }


def calibrate(
    config: CalibrateConfig,
    report: Report = no_report,
    *,
    command: str = "",
    space: SearchSpace | None = None,
    protocol: Protocol = DEFAULT_PLAN.candidate,
) -> CalibrationResult:
    """Train networks in full, score them cheaply, and judge the scores; the results are written to `config.out`.

    Args:
        config: What is calibrated.
        report: Gets a message for each network, and for what else takes long.
        command: What was typed, for the record.
        space: Of the config's name and scale, where it is not the one in `search_spaces.SPACES`.
        protocol: How the networks are timed that predictions of the others are learned from.

    Raises:
        InputError: Where `config.out` holds another calibration, too few networks are near the budget, or a training
            fails.
    """
    space, out = space or config.search_space, Path(config.out)
    train, val = load_pictures(config, report)
    setup, steps = make_setup(config, config.steps, train, val, report), ladder(config.steps, config.rungs)
    settings = _settings_of(config, setup, steps)
    _check_settings(settings, out)
    write_manifests(out / PICTURES, train=train.manifest, val=val.manifest)
    setup = _autotuned(setup, out)
    population = _population_near_budget(space, setup, out, protocol)
    chosen = _sample_networks(population, config.networks, config.seed)
    rungs = ", ".join(f"{each:,}" for each in steps.steps[:-1])
    report(Message(f"{len(chosen)} networks that take up to {_WITHIN:g} times {config.budget_ms:g} ms, "
                   f"{config.steps:,} steps each, rungs at {rungs}"))  # fmt: skip
    networks = _train_all(chosen, setup, steps, out, _workers_of(config, setup, report), report)
    networks, share = _with_supernet(networks, population, space, setup, out, report)
    result = CalibrationResult(
        tuple(rank_scores(networks, steps, share)), tuple(networks), settings, config.budget_ms,
        setup.target.conditions, provenance()["date"], command, out,
    )  # fmt: skip
    write_json(out / "calibration.json", result.to_json())
    write_text(out / "calibration.html", calibration_page(result.rankings, networks, config.steps))
    return result


def _sample_networks(population: Population, count: int, seed: int) -> list[Architecture]:
    """Return so many different networks of a population; raises InputError where there are not as many."""
    rng = random.Random(seed)  # noqa: S311 - a draw, no secret
    found: dict[str, Architecture] = {}
    for _ in range(100 * count):
        architecture = population.sample(rng)
        found.setdefault(architecture.key, architecture)
        if len(found) == count:
            return list(found.values())
    raise InputError(f"only {len(found)} networks are within reach of the budget, asked for {count}; raise --budget-ms")


def _settings_of(config: CalibrateConfig, setup: Setup, steps: Ladder) -> dict[str, Any]:
    """Return what must be the same for a calibration to go on."""
    return {
        "space": config.space,
        "scale": config.scale,
        "budget_ms": config.budget_ms,
        "networks": config.networks,
        "conditions": {**asdict(setup.target.conditions), "lr_size": list(setup.target.lr_size)},
        "ladder": list(steps.steps),
        "recipe": asdict(setup.recipe),
        "pictures": {name: dict(each) for name, each in setup.pictures.items()},
    }


def _check_settings(settings: dict[str, Any], out: Path) -> None:
    """Raise InputError where `out` holds a calibration of other settings."""
    path = out / "settings.json"
    was = remembered(path, lambda: settings)
    changed = [name for name, value in settings.items() if setting(was, name) != value]
    if changed:
        raise InputError(f"{path} is of another calibration ({', '.join(changed)} differ); name another --out")


def _autotuned(setup: Setup, out: Path) -> Setup:
    """Return the setup with one precision and memory format for all: those that suit the reference network."""

    def find() -> dict[str, Any]:
        return asdict(autotune(build(setup.trainable_reference), setup.recipe, setup.train, setup.target.device))

    return replace(setup, recipe=Recipe(**remembered(out / "recipe.json", find)))


def _population_near_budget(space: SearchSpace, setup: Setup, out: Path, protocol: Protocol) -> Population:
    """Return the networks of a space that are predicted within reach of the budget on this device."""
    path, seed = out / "population.json", setup.recipe.seed
    if path.exists():
        return remembered_population(space, accept_all, seed, path)
    latency = probe_seeds(probe_device(setup, protocol), space, setup, protocol)
    return remembered_population(space, lambda each: latency.predict(each) <= _WITHIN * setup.budget_ms, seed, path)


def _workers_of(config: CalibrateConfig, setup: Setup, report: Report) -> int:
    """Return how many networks are trained at once: as asked for, else as many as are fastest on this device."""

    def find() -> int:
        speeds = measure_pool_speeds(setup, setup.trainable_reference)
        report(Message(speeds.describe()))
        return speeds.best

    return config.workers or int(remembered(Path(config.out) / "workers.json", find))


def _train_all(
    chosen: Sequence[Architecture], setup: Setup, steps: Ladder, out: Path, workers: int, report: Report
) -> list[TrainedNetwork]:
    """Train all networks in full, those that an earlier run did not, so many at once.

    Raises InputError where one cannot be trained.
    """
    path = out / "networks.json"
    networks = _read_networks(path)
    done, began = len(networks), time.monotonic()
    work = partial(train_in_full, ladder=steps, folder=out / "trainings")
    with executor(workers, setup) as pool:
        for number, each in enumerate(in_order(pool, work, chosen[done:]), start=done + 1):
            networks.append(each)
            write_json(path, [one.to_json() for one in networks])
            left = (time.monotonic() - began) / (number - done) * (len(chosen) - number)
            report(Message(f"network {number} of {len(chosen)}: {each.psnr:.3f} dB in {each.seconds:.0f} s, "
                           f"{each.architecture.summary}; {duration(left)} left"))  # fmt: skip
    return networks


def _read_networks(path: Path) -> list[TrainedNetwork]:
    """Return what an earlier run trained; raises InputError for a broken file."""
    if not path.exists():
        return []
    try:
        return [TrainedNetwork.from_json(each) for each in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} holds no networks of a calibration; name another --out") from error


def _with_supernet(
    networks: Sequence[TrainedNetwork],
    population: Population,
    space: SearchSpace,
    setup: Setup,
    out: Path,
    report: Report,
) -> tuple[list[TrainedNetwork], float]:
    """Return the networks with a supernet's scores, and what it cost per network as a share of a full training.

    Both as an earlier run found them, where one did; raises InputError where its file is broken.
    """

    def find() -> dict[str, Any]:
        began = time.monotonic()
        supernet, steps = _train_supernet(networks, population, space, setup, out)
        scored = with_supernet_scores(networks, supernet, setup)
        seconds = time.monotonic() - began
        report(Message(f"supernet: {steps:,} steps, with its scores {duration(seconds)}"))
        scores = {each.architecture.key: each.supernet_psnr for each in scored}
        return {"share": seconds / sum(each.seconds for each in networks), "psnr": scores}

    path = out / "supernet.json"
    found = remembered(path, find)
    try:
        scored = [replace(each, supernet_psnr=found["psnr"][each.architecture.key]) for each in networks]
        return scored, found["share"]
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} holds no scores of these networks; remove it") from error


def _train_supernet(
    networks: Sequence[TrainedNetwork], population: Population, space: SearchSpace, setup: Setup, out: Path
) -> tuple[Supernet, int]:
    """Return a supernet and its steps, which take _SUPERNET_SHARE of what all full trainings took."""
    supernet = untrained(space, population, setup.recipe.seed)
    seconds = _SUPERNET_SHARE * sum(each.seconds for each in networks)
    recipe = remembered_recipe(supernet, population, setup, seconds, out / "supernet.recipe.json")
    state = out / "trainings" / "supernet.state"
    supernet = train(supernet, population, recipe, setup.train, setup.target.device, state=state)
    state.unlink(missing_ok=True)
    return supernet, recipe.steps

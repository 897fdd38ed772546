"""A whole search: from a config to a trained and exported network, its page and its tables."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import nn

from nas.artifacts import weights_folder
from nas.bucket import Bucket
from nas.config.fidelity import TRAINED_RUNGS
from nas.config.measurement_plan import DEFAULT_PLAN, MeasurementPlan
from nas.config.run_file import write_search
from nas.config.search import SearchConfig
from nas.device_probe import probe_device, probe_seeds
from nas.ending import finish
from nas.evaluate import Setup, cost_candidate
from nas.evaluation_setup import load_pictures, make_setup
from nas.known_device import KnownDevice, remember
from nas.loop import Search
from nas.measurer import measured_on_target
from nas.predictors.surrogate import Surrogate
from nas.report.tables import write_tables
from nas.result import SearchResult
from nas.resume import is_begun, open_study, teacher_of
from nas.rivals import check_rivals
from nas.samplers.aiming import first_candidates
from nas.samplers.protocol import Sampler, SearchProblem
from nas.samplers.registry import check_sampler, make_sampler
from nas.study import Study
from nas.time_budget import TimeBudget
from nas.training.executor import executor
from nas.training.fidelity_schedule import FidelitySchedule, fidelity_schedule
from nas.training.pool_speed import measure_cluster_speeds, measure_pool_speeds
from nas.training.supernet_store import train_or_load_supernet
from nas.trial import Trial
from nas.verdict import calm_speed
from search_spaces.architecture import Architecture
from search_spaces.space import SearchSpace
from sr.data.manifest import PICTURES, Manifest, write_manifests
from sr.data.pairs import Pairs
from sr.executors.ray_cluster.connection import connected
from sr.files import write_text
from sr.lr_size import size_text
from sr.progress import Message, Phase, Report, Standing, no_report
from sr.run_file import RUN_FILE

# Finding out how many trainings at once are fastest takes half a minute.
_WORTH_A_POOL_SECONDS = 900.0
# A supernet holds what may be within the budget: predictions err both ways.
_IN_SUPERNET = 1.2


def search(
    config: SearchConfig,
    *,
    report: Report = no_report,
    on_trial: Callable[[Trial], None] | None = None,
    plan: MeasurementPlan = DEFAULT_PLAN,
    command: str | None = None,
) -> SearchResult:
    """Find, train and export the network with the best PSNR within a runtime budget on this device.

    Stopped anywhere, the same call with `resume=True` goes on and loses at most the running candidates.

    Args:
        config: What is searched, within what limits, and where the results go.
        report: Is told of every step; see `sr.progress`.
        on_trial: Is called with each trial as its outcome, and later each further rung, is recorded.
        plan: How much is measured.
        command: How the search was started, for command.txt; None for this call.

    Returns:
        The trials, the front, and the chosen network; without one where nothing was within the budget.

    Raises:
        InputError: Where the config asks for what is not there, or does not go with the study in the folder.
    """
    try:
        with contextlib.nullcontext() if config.cluster is None else connected(config.cluster):
            return _search(config, report, on_trial, plan, command)
    finally:
        report(Standing())


def _search(
    config: SearchConfig,
    report: Report,
    on_trial: Callable[[Trial], None] | None,
    plan: MeasurementPlan,
    command: str | None,
) -> SearchResult:
    """Search, connected to the cluster where there is one; see `search`."""
    check_sampler(config.sampler)
    check_rivals(config)
    time_budget = TimeBudget(config.seconds, config.trials)
    exists, teacher = is_begun(config), teacher_of(config)
    setup, val, manifests = prepare(config, time_budget, report)
    # The ladder's constraint, and that the results can be written, speak now and not after minutes or hours.
    fidelity_schedule(config.fidelity, setup, Path(config.out), fewest_first_steps=plan.fewest_first_steps)
    shown = f"paretosr.search({config!r})" if command is None else command
    write_text(Path(config.out) / "command.txt", shown + "\n")
    write_search(Path(config.out) / RUN_FILE, config)
    write_manifests(Path(config.out) / PICTURES, **manifests)
    weights_folder(Path(config.out), config.weights)
    if config.bucket is not None:
        Bucket(config.bucket).mark()
    with contextlib.nullcontext(setup) if config.cluster is None else measured_on_target(setup, report) as measured:
        return _begin_or_go_on(config, measured, teacher, val, time_budget, report, on_trial, plan, exists=exists)


def _begin_or_go_on(
    config: SearchConfig,
    setup: Setup,
    teacher: nn.Module | None,
    val: Pairs,
    time_budget: TimeBudget,
    report: Report,
    on_trial: Callable[[Trial], None] | None,
    plan: MeasurementPlan,
    *,
    exists: bool,
) -> SearchResult:
    """Search with what is there: pictures, device, and the study where `exists`; see `search`."""
    space = config.search_space
    report(Phase("finding out how this device trains fastest"))
    study, setup = open_study(config, space, setup, teacher, exists=exists)
    if holders := study.holders():
        report(Message(
            f"this study is held by {', '.join(holders)} too: what one asks for no other does; give each an --out "
            "of its own", aside=True,
        ))  # fmt: skip
    try:
        report(Phase("measuring the reference network"))
        known = _known_device(study, setup, plan, report)
        latency = known.predictor(setup.target.lr_size) if config.use_predictions else None
        fidelity = _fidelity(config, space, setup, known, time_budget, plan, report)
        surrogate = Surrogate(
            latency, setup.budget_ms, setup.target.lr_size, fidelity.ladder, fidelity.is_trainable, space.num_feat
        )
        if study.settings["phase"] != "training":
            problem = SearchProblem(
                space,
                config.seed,
                setup.budget_ms,
                surrogate.is_predicted_feasible,
                surrogate.acquisition,
                surrogate.budget_share,
            )
            if config.use_seeds:
                _begin_with(study, first_candidates(problem))
            sampler = make_sampler(config.sampler, config.nni_tuner, problem)
            calm_ms = known.calm_ms(setup.target.lr_size)
            _explore(config, study, sampler, fidelity, surrogate, time_budget, calm_ms, plan, report, on_trial)
            _remember_device(study, setup, known, surrogate, report)
        fidelity.fetch_weights(study.trials)
        in_time = plan.for_limit(config.seconds)
        return finish(config, study, fidelity, surrogate, known, time_budget, val, in_time, report)
    except KeyboardInterrupt:
        write_tables(Path(config.out), study.trials)
        report(Message(f"interrupted with {len(study.trials)} trials recorded; the same command with --resume goes on"))
        raise


def _begin_with(study: Study, architectures: Sequence[Architecture]) -> None:
    """Have these proposed first, those that a study was begun with in their place."""
    study.enqueue(architectures)
    if "begun_with" not in study.settings:
        study.remember({"begun_with": [each.key for each in architectures]})


def prepare(
    config: SearchConfig, time_budget: TimeBudget, report: Report
) -> tuple[Setup, Pairs, Mapping[str, Manifest]]:
    """Load the pictures and put together what all candidates share; say what is about to be searched, on what.

    Returns:
        The setup, its recipe open in precision and memory format; all validation pictures, on the CPU; and which files
        the pictures are.
    """
    train, val = load_pictures(config, report)
    steps = config.trial_steps or time_budget.trial_steps(TRAINED_RUNGS[config.fidelity])
    setup = make_setup(config, steps, train, val, report)
    setup = replace(setup, recipe=replace(setup.recipe, distillation=config.teacher_share))
    space, place = config.search_space, setup.target.conditions
    size = size_text(place.lr_size)
    report(Message(
        f"space {space.name} at x{space.scale}: {space.size:.2e} descriptions, {space.networks:.2e} different networks"
    ))  # fmt: skip
    report(Message(
        f"budget {setup.budget_ms:g} ms for {size} LR, {place.dtype} in {place.engine}, {place.device}, "
        f"{place.threads} threads"
    ))  # fmt: skip
    pictures = f"{len(train.pairs)} to train on, {len(val.pairs)} to validate on"
    report(Message(f"pictures: {pictures}; {steps} steps a candidate"))
    # They go to the device one at a time: all of DIV2K's would take what a GPU has left after hours of training.
    return setup, val.pairs, {"train": train.manifest, "val": val.manifest}


def _known_device(study: Study, setup: Setup, plan: MeasurementPlan, report: Report) -> KnownDevice:
    """Return what is known of the device before the first candidate; a resumed search knows what it knew then.

    The reference network is measured, so that predictions are of this device from the first one on.
    """
    if "known" not in study.settings:
        study.remember({"known": probe_device(setup, plan.candidate, report).to_json()})
    return KnownDevice.from_json(study.settings["known"])


def _remember_device(study: Study, setup: Setup, known: KnownDevice, surrogate: Surrogate, report: Report) -> None:
    """Keep for later searches what this one learned of the device."""
    if setup.is_measured_elsewhere:
        return
    surrogate.observe(study.trials)
    model = known.model if surrogate.latency is None else surrogate.latency.model
    if any(trial.measurement is not None for trial in study.trials):
        known = known.with_calm(setup.target.lr_size, calm_speed(study.trials).reference_ms)
    remember(setup.target, replace(known, model=model), report)


def _fidelity(
    config: SearchConfig,
    space: SearchSpace,
    setup: Setup,
    known: KnownDevice,
    time_budget: TimeBudget,
    plan: MeasurementPlan,
    report: Report,
) -> FidelitySchedule:
    """Return how candidates are judged, the supernet trained where one is asked for."""
    out, supernet = Path(config.out), None
    if config.needs_supernet:
        latency = probe_seeds(known, space, setup, plan.candidate) if config.use_predictions else None

        def allowed(architecture: Architecture) -> bool:
            return latency is None or latency.predict(architecture) <= _IN_SUPERNET * setup.budget_ms

        supernet = train_or_load_supernet(space, setup, allowed, time_budget.supernet_seconds, out, report)
    # Nodes of a cluster run in folders of their own.
    teacher = None if config.teacher is None else Path(config.teacher).resolve()
    bucket = None if config.bucket is None else Bucket(config.bucket)
    if bucket is not None and teacher is not None:
        bucket.keep(teacher)
    return fidelity_schedule(
        config.fidelity, setup, weights_folder(out, config.weights), supernet, teacher,
        fewest_first_steps=plan.fewest_first_steps, bucket=bucket,
    )  # fmt: skip


def _explore(
    config: SearchConfig,
    study: Study,
    sampler: Sampler,
    fidelity: FidelitySchedule,
    surrogate: Surrogate,
    time_budget: TimeBudget,
    calm_ms: float | None,
    plan: MeasurementPlan,
    report: Report,
    on_trial: Callable[[Trial], None] | None,
) -> None:
    """Search, with as many trainings at once as are fastest here."""
    study.remember({"phase": "search"})
    setup, workers = fidelity.setup, config.workers
    on_cluster = None if config.cluster is None else fidelity.bucket or fidelity.folder
    if workers is None:
        workers = _fastest_workers(config, setup, on_cluster, time_budget, report)

    def on_told(trial: Trial, trials: Sequence[Trial]) -> None:
        write_tables(Path(config.out), trials)
        if on_trial is not None:
            on_trial(trial)

    with executor(workers, setup, on_cluster, report=report) as pool:
        # What the page of a running search shows.
        study.remember({"workers": pool.workers})
        Search(
            study, sampler, partial(cost_candidate, setup=setup, protocol=plan.candidate), fidelity, pool, surrogate,
            time_budget, calm_ms=calm_ms, patience=config.patience, on_told=on_told, report=report,
        ).run()  # fmt: skip


def _fastest_workers(
    config: SearchConfig, setup: Setup, on_cluster: Bucket | Path | None, time_budget: TimeBudget, report: Report
) -> int | None:
    """Return how many trainings at once are fastest, where the time allows to measure that.

    Else it is one on this machine, and on a cluster None: as many as have room without sharing a GPU or a node.
    """
    usual = 1 if on_cluster is None else None
    if time_budget.seconds < _WORTH_A_POOL_SECONDS or config.fidelity == "supernet":
        return usual
    report(Phase("finding out how many trainings at once are fastest"))
    reference = setup.trainable_reference
    speeds = (
        measure_pool_speeds(setup, reference)
        if on_cluster is None
        else measure_cluster_speeds(setup, reference, on_cluster)
    )
    if speeds is None:
        why = "others use the cluster, or it lost a worker"
        report(Message(f"how many trainings at once are fastest was not measured: {why}", aside=True))
        return usual
    report(Message(speeds.describe()))
    return speeds.best

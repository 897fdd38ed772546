"""A crew: the same results in every size, failures as results, and no training while somebody measures."""

import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import as_completed
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nas.crew import Crew, Speeds, best_crew, in_words, sizes, speed
from nas.evaluate import Setup
from nas.jobs import Climb, Desk, Job
from nas.rungs import Ladder, weights_path
from search_spaces.msrresnet import REFERENCE_NETWORK, repeated
from search_spaces.network import untrained
from sr.checkpoint import load
from sr.data import load_pairs
from sr.errors import InputError
from sr.lease import measuring_on
from sr.quality import evaluate
from sr.recipe import Recipe
from sr.training import fit

TINY = repeated(8, "branched_conv", 1)
RECIPE = Recipe(steps=4, batch=2, patch=6, precision="float32", memory_format="contiguous")
STEPS = Ladder((3, 6, 12), 2)
# No test waits so long: it is there for a machine that does much else.
PATIENCE_SECONDS = 120.0


@pytest.fixture(scope="module", autouse=True)
def _alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Wait for nobody else's measurements, here and in the workers, and leave each process one thread."""
    threads, folder = torch.get_num_threads(), str(tmp_path_factory.mktemp("locks"))
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", folder)
        patch.setenv("TMPDIR", folder)
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def setup() -> Setup:
    return Setup(
        budget_ms=60_000.0,
        device=torch.device("cpu"),
        lr_size=(16, 24),
        dtype="float32",
        recipe=RECIPE,
        train=load_pairs(None, "train", report=print).centre_crops(16, 3),
        val=load_pairs(None, "val", report=print).centre_crops(16, 2),
        reference=REFERENCE_NETWORK,
    )


@pytest.fixture(scope="module")
def alone(setup: Setup) -> Iterator[Crew]:
    with Crew(1, setup) as crew:
        yield crew


@pytest.fixture(scope="module")
def pair(setup: Setup, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    """Two processes, which a Ctrl-C in the midst of a training ends, so that each is started once."""
    before = workers()
    with contextlib.suppress(KeyboardInterrupt), Crew(2, setup) as crew:
        crew.start()
        yield crew
        interrupted = endless(tmp_path_factory.mktemp("interrupted"))
        crew.submit(interrupted)
        wait(lambda: is_under_way(interrupted))
        raise KeyboardInterrupt
    assert workers() <= before


def workers() -> set[int]:
    """Return the processes that this one started."""
    return {child.pid for child in multiprocessing.active_children() if child.pid is not None}


def endless(folder: Path) -> Job:
    return Job(TINY, RECIPE, Climb(1, Ladder((2, 10_000_000), 2), folder))


def is_under_way(job: Job) -> bool:
    """Tell whether an endless job left its first rung behind."""
    return job.climb is not None and weights_path(job.climb.folder, job.architecture.key).exists()


def wait(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def test_a_crew_of_one_starts_no_process_and_trains_as_fit_does(alone: Crew, setup: Setup) -> None:
    before = workers()
    future = alone.submit(Job(TINY, RECIPE))
    assert future.done()
    assert workers() == before
    torch.manual_seed(RECIPE.seed)
    network = fit(untrained(TINY), RECIPE, setup.train, setup.device, quiet=True).network
    assert future.result().quality == evaluate(network, setup.val, with_ssim=False)


def test_two_at_once_give_what_one_gives_bit_for_bit(alone: Crew, pair: Crew, tmp_path: Path) -> None:
    folders = {crew.workers: tmp_path / str(crew.workers) for crew in (alone, pair)}
    teacher = tmp_path / "teacher"
    assert alone.submit(Job(TINY, RECIPE, Climb(0, STEPS, teacher))).result().quality is not None
    weights = weights_path(teacher, TINY.key)

    def jobs(folder: Path) -> list[Job]:
        return [
            Job(TINY, RECIPE),
            Job(TINY, replace(RECIPE, seed=1)),
            Job(TINY, RECIPE, Climb(1, STEPS, folder / "plain")),
            Job(TINY, RECIPE, Climb(0, STEPS, folder / "initial"), initial=weights),
            Job(TINY, replace(RECIPE, distillation=0.5), teacher=weights),
        ]

    futures = {crew.workers: [crew.submit(job) for job in jobs(folders[crew.workers])] for crew in (alone, pair)}
    ones, twos = ([future.result() for future in futures[workers]] for workers in (1, 2))
    assert [one.quality for one in ones] == [two.quality for two in twos]
    assert len({two.quality.psnr for two in twos if two.quality is not None}) == len(twos)
    assert all(two.seconds > 0 and not two.reason for two in twos)
    for name in ("plain", "initial"):
        one, two = (load(weights_path(folder / name, TINY.key)).tensors for folder in folders.values())
        assert one.keys() == two.keys()
        assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize("size", [1, 2])
def test_a_training_that_fails_is_a_result(alone: Crew, pair: Crew, size: int) -> None:
    wild = Job(TINY, replace(RECIPE, learning_rate=1e30, warmup_steps=0, clip_norm=0.0, steps=40))
    result = {1: alone, 2: pair}[size].submit(wild).result()
    assert result.quality is None
    assert "the loss is" in result.reason
    assert "\n" not in result.reason


@pytest.mark.parametrize("size", [1, 2])
def test_bad_input_is_an_error_in_every_crew(alone: Crew, pair: Crew, size: int, tmp_path: Path) -> None:
    crew = {1: alone, 2: pair}[size]
    job = Job(TINY, RECIPE, Climb(0, STEPS, tmp_path))
    assert crew.submit(job).result().quality is not None
    with pytest.raises(InputError, match="was trained by another recipe; remove it"):
        crew.submit(replace(job, recipe=replace(RECIPE, batch=3))).result()
    with pytest.raises(InputError, match="no checkpoint at"):
        crew.submit(Job(TINY, RECIPE, initial=tmp_path / "missing.pth")).result()


@pytest.mark.parametrize("size", [1, 2])
def test_work_in_turn_comes_back_in_its_order(alone: Crew, pair: Crew, size: int) -> None:
    crew = {1: alone, 2: pair}[size]
    jobs = [Job(TINY, replace(RECIPE, seed=seed, steps=12 - 4 * (seed % 3))) for seed in range(4)]
    qualities = [result.quality for result in crew.in_turn(Desk.train, jobs)]
    assert qualities == [alone.submit(job).result().quality for job in jobs]
    missing = Job(TINY, RECIPE, initial=Path("missing.pth"))
    with pytest.raises(InputError, match="no checkpoint at"):
        list(crew.in_turn(Desk.train, [jobs[0], missing]))


def test_nothing_trains_while_somebody_measures(pair: Crew, setup: Setup) -> None:
    with measuring_on(setup.device):
        futures = [pair.submit(Job(TINY, RECIPE)) for _ in range(2)]
        with pytest.raises(TimeoutError):
            futures[0].result(timeout=0.5)
        assert not futures[1].done()
    qualities = {future.result(timeout=PATIENCE_SECONDS).quality for future in futures}
    assert len(qualities) == 1
    assert None not in qualities


def test_the_speed_of_a_crew_is_measured(alone: Crew, pair: Crew) -> None:
    assert speed(alone, TINY, RECIPE, 2) > 0
    assert speed(pair, TINY, RECIPE, 2) > 0


def test_a_killed_worker_fails_its_job_alone(pair: Crew, tmp_path: Path) -> None:
    pair.start()
    job, before = endless(tmp_path), workers()
    future = pair.submit(job)
    wait(lambda: is_under_way(job))
    # The idle one answers, the other will not before it has trained.
    asked = [seat.pool.submit(os.getpid) for seat in pair.seats if seat.pool is not None]
    idle = next(as_completed(asked, timeout=PATIENCE_SECONDS)).result()
    (busy,) = before - {idle}
    os.kill(busy, 9)
    result = future.result(timeout=PATIENCE_SECONDS)
    assert result.quality is None
    assert result.reason.startswith("the process that trained it was killed")
    assert result.seconds > 0
    qualities = {pair.submit(Job(TINY, RECIPE)).result(timeout=PATIENCE_SECONDS).quality for _ in range(2)}
    assert len(qualities) == 1
    assert None not in qualities
    assert idle in workers()
    assert busy not in workers()


def test_a_teacher_comes_with_distillation_alone() -> None:
    with pytest.raises(InputError, match=r"got 0.5 and no teacher"):
        Job(TINY, replace(RECIPE, distillation=0.5))
    with pytest.raises(InputError, match=r"got 0.0 and teacher.pth"):
        Job(TINY, RECIPE, teacher=Path("teacher.pth"))


def test_a_crew_has_a_worker(setup: Setup) -> None:
    with pytest.raises(InputError, match="at least 1 worker, got 0"):
        Crew(0, setup)
    with pytest.raises(InputError, match="at least 1 worker, got 0"):
        best_crew(setup, TINY, 0)


def test_no_more_workers_than_threads(setup: Setup) -> None:
    """The recipe distils, and yet no teacher is asked for."""
    speeds = best_crew(replace(setup, recipe=replace(RECIPE, distillation=0.5)), TINY, 8)
    assert list(speeds.steps_per_second) == [1]
    assert speeds.best == 1
    assert in_words(speeds) == f"candidates train one at a time: {speeds.steps_per_second[1]:.1f} steps/s alone"


@pytest.mark.parametrize(("most", "expected"), [(1, [1]), (2, [1, 2]), (3, [1, 2]), (4, [1, 2, 4]), (9, [1, 2, 4, 8])])
def test_the_sizes_that_are_tried(most: int, expected: list[int]) -> None:
    assert sizes(most) == expected


@pytest.mark.parametrize(
    ("speeds", "best", "words"),
    [
        ({1: 20.0, 2: 21.0}, 1, "candidates train one at a time: 20.0 steps/s alone, 21.0 by 2 (1.05 times)"),
        ({1: 20.0, 2: 0.0}, 1, "candidates train one at a time: 20.0 steps/s alone, no room for 2"),
        (
            {1: 20.0, 2: 30.0, 4: 32.0},
            2,
            "candidates train 2 at once: 20.0 steps/s alone, 30.0 by 2 (1.50 times), 32.0 by 4 (1.60 times)",
        ),
        ({1: 20.0, 2: 23.0}, 2, "candidates train 2 at once: 20.0 steps/s alone, 23.0 by 2 (1.15 times)"),
        ({1: 20.0, 2: 20.0, 4: 80.0}, 1, None),
    ],
)
def test_the_best_size_by_hand(speeds: dict[int, float], best: int, words: str | None) -> None:
    assert Speeds(speeds).best == best
    if words is not None:
        assert in_words(Speeds(speeds)) == words

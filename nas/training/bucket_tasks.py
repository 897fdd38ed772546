"""Tasks whose weights lie in a bucket: each is done in a folder of its own, and what it leaves there is kept."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from nas.bucket import Bucket
from nas.training.rung_training import weights_path
from nas.training.task import ScoreTask, TrainingTask


@contextlib.contextmanager
def trained_from(bucket: Bucket, task: TrainingTask) -> Iterator[TrainingTask]:
    """Yield a training with its weights in a folder of its own, and keep those that it left; see `train_to_rung`.

    What a rung left in the midst of its steps goes with the folder: another worker begins the rung anew.
    """
    with _own_folder() as folder:
        initial, teacher = (
            None if path is None else bucket.fetch(path.name, folder) for path in (task.initial, task.teacher)
        )
        here = replace(task, initial=initial, teacher=teacher)
        if task.goal is None:
            yield here
            return
        weights = weights_path(folder, task.architecture.key)
        bucket.fetch(weights.name, folder)
        yield replace(here, goal=replace(task.goal, folder=folder))
        # A training that failed may have left none.
        if weights.exists():
            bucket.keep(weights)


@contextlib.contextmanager
def scored_from(bucket: Bucket, task: ScoreTask) -> Iterator[ScoreTask]:
    """Yield a score with its weights in a folder of its own."""
    with _own_folder() as folder:
        yield replace(task, weights=bucket.fetch(task.weights.name, folder))


@contextlib.contextmanager
def fetched(bucket: Bucket | None, path: Path | None) -> Iterator[Path | None]:
    """Yield where a file lies here: from a bucket in a folder that ends with the block, else where it is."""
    if bucket is None or path is None:
        yield path
        return
    with _own_folder() as folder:
        yield bucket.fetch(path.name, folder)


@contextlib.contextmanager
def _own_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="paretosr-weights-") as name:
        yield Path(name)

"""Two nodes: one measures and trains, the other trains and is killed; nothing is lost and nothing else comes out.

It starts a cluster of its own, which takes most of a minute, and runs where PARETOSR_TWO_NODES=1 asks for it.
"""

import contextlib
import logging
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nas.config.measurement_plan import MeasurementPlan
from nas.config.search import SearchConfig
from nas.evaluate import Setup, cost_candidate, on_target
from nas.measurer import measured_on_target
from nas.pipeline import search
from nas.target_node import TARGET_RESOURCE
from nas.training.executor import executor
from nas.training.task import TrainingTask
from nas.training.worker_state import WorkerState
from search_spaces.msrresnet import repeated
from sr.measure.latency import Protocol
from sr.progress import Event, Message

pytestmark = pytest.mark.skipif(
    "PARETOSR_TWO_NODES" not in os.environ, reason="a cluster of two nodes takes most of a minute: PARETOSR_TWO_NODES=1"
)
SMALL = repeated(8, "branched_conv", 1)
TASKS = 6
# No test waits so long: it is there for a machine that does much else.
PATIENCE_SECONDS = 120.0


@pytest.fixture(scope="module")
def two_nodes(ray_folder: str) -> Iterator[Any]:
    """Start a head that is the target, and a node beside it; Ray's files lie in `ray_folder`."""
    assert ray_folder
    import ray
    from ray.cluster_utils import Cluster

    # A node is given up after a second and a half without a sign of life.
    impatient = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 3}
    shared = {"num_cpus": 1, "object_store_memory": 100 * 2**20, "include_dashboard": False}
    head = {**shared, "resources": {TARGET_RESOURCE: 1}, "_system_config": impatient}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        cluster.add_node(**shared, node_name="beside")
        ray.init(cluster.address, log_to_driver=False, logging_level=logging.ERROR)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def node_of(state: WorkerState) -> str:
    """Return the node that a worker is on."""
    import ray

    assert state.setup.budget_ms > 0
    return str(ray.get_runtime_context().get_node_id())


def trained(state: WorkerState, task: TrainingTask, folder: Path) -> tuple[float, str]:
    """Train for so long that a node can be killed meanwhile; returns the PSNR and the node."""
    (folder / node_of(state)).touch()
    time.sleep(1.0)
    result = state.train(task)
    assert result.quality is not None
    return result.quality.psnr, node_of(state)


@pytest.mark.usefixtures("two_nodes", "hasty")
def test_a_search_measures_on_the_target_and_its_weights_lie_where_all_nodes_see_them(
    plan: MeasurementPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As where no kaleido is installed: it starts a browser for each page.
    monkeypatch.setitem(sys.modules, "kaleido", None)
    rng, out = np.random.default_rng(0), tmp_path / "out"
    for part in ("train", "val"):
        (tmp_path / part).mkdir()
        for number in range(2):
            coarse = Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8))
            coarse.resize((96, 96), Image.Resampling.BICUBIC).save(tmp_path / part / f"{part}{number}.png")
    config = SearchConfig(
        budget_ms=60_000.0, out=out, data=tmp_path / "train", val=tmp_path / "val", lr_size=(24, 32), batch=2, patch=8,
        device="cpu", trials=3, trial_steps=4, train_steps=4, engine="torch", fidelity="train", cluster="auto",
        artifacts=tmp_path / "shared",
    )  # fmt: skip
    said = list[Event]()
    result = search(config, report=said.append, plan=plan)
    assert [trial.state for trial in result.outcomes] == ["trained"] * 3
    assert result.chosen is not None
    assert any(isinstance(event, Message) and "networks are measured on node" in event.text for event in said)
    weights = {path.stem for path in (tmp_path / "shared").glob("*.pth")}
    assert weights == {trial.architecture.key for trial in result.outcomes}
    assert (out / "candidates").resolve() == tmp_path / "shared"


def test_a_killed_node_loses_no_training_while_the_target_measures_on(
    two_nodes: Any, setup: Setup, few: Protocol, tmp_path: Path
) -> None:
    tasks = [TrainingTask(SMALL, replace(setup.recipe, seed=seed)) for seed in range(TASKS)]
    began, said = tmp_path / "began", list[Event]()
    began.mkdir()
    with measured_on_target(setup, said.append) as measured, contextlib.ExitStack() as until_the_end:
        assert measured.node is not None
        assert measured.conditions == setup.target.conditions
        assert str(said[0]).count(measured.node.name) == 1
        target = on_target(measured, ray_node)
        before = cost_candidate(0, SMALL, measured, few)
        workers = until_the_end.enter_context(executor(2, measured, on_cluster=tmp_path / "weights"))
        futures = [workers.submit(trained, task, began) for task in tasks]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(list(began.iterdir())) < 2:
            assert time.monotonic() < deadline, "one node trains nothing"
            time.sleep(0.05)
        (beside,) = two_nodes.worker_nodes
        two_nodes.remove_node(beside, allow_graceful=False)
        after = cost_candidate(1, SMALL, measured, few)
        reached = [future.result(PATIENCE_SECONDS) for future in futures]
    assert [before.state, after.state] == ["measured", "measured"]
    assert {each.name for each in began.iterdir()} > {target}
    assert reached[-1][1] == target
    expected = [WorkerState(setup).train(task).quality for task in tasks]
    assert [psnr for psnr, _ in reached] == [quality.psnr for quality in expected if quality is not None]


def ray_node(_setup: Setup) -> str:
    """Return the node that measures."""
    import ray

    return str(ray.get_runtime_context().get_node_id())

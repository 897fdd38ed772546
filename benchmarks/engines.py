"""Engines: what the waste was before and after, and what each engine asks of a network, on this device.

    python benchmarks/engines.py all --network runs/forty/chosen/network.pth --json engines.json

    before-after   the same networks in torch, onnxruntime and OpenVINO, before and after: the C library's allocator as
                   it is, and the export of a network laid out channels last, of free size; and freed memory kept, and
                   the export of a fixed size as it is now. Each network and engine in a process of its own, in turns.
    history        the same network first and last in a process that runs others meanwhile
    prepare        seconds to prepare a candidate of the search space: export, compilation, first run
    sizes          a file of free size beside one of fixed size
    widths         runtimes of networks of 8 to 32 channels: where an engine's steps are

It exits with 0 whatever comes of it: these are measurements, not tests.
"""

import copy
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from machine_paths import shown_command
from torch import nn
from torch.export import Dim

from baselines import BASELINES
from baselines import build as build_baseline
from search_spaces import SPACES
from search_spaces.network import build
from sr.checkpoint import load_network, provenance
from sr.command import DONE, Parser, run
from sr.deployment import deploy
from sr.errors import InputError
from sr.files import write_json
from sr.lr_size import parse_size
from sr.measure.allocator import keep_freed_memory
from sr.measure.device_lock import measuring_on, wait_until_idle
from sr.measure.engines.engine import Runner, picture_of
from sr.measure.engines.onnx_runtime import OnnxRunner
from sr.measure.engines.open_vino import OpenVinoRunner, compiled
from sr.measure.engines.registry import engine_of, file_engine_of, usable
from sr.measure.latency import Protocol, Subject, measure_subjects
from sr.measure.target import Target
from sr.memory_format import lay_out
from sr.onnx_graph import part_graph
from sr.terminal import say

CPU = torch.device("cpu")
ENGINES = ("torch", "onnxruntime", "openvino")
RIVALS = ("span", "rfdn", "imdn")
# For a network that a search chose.
GOALS = {"torch": 1.4, "onnxruntime": 1.35, "openvino": 1.4}
MOST_APART = 0.05


def main(argv: list[str] | None = None) -> int:
    """Measure what is asked for, print it, and write it as JSON."""
    args = parse(argv)
    if args.child:
        say(json.dumps(child(*args.child, args)))
        return DONE
    engines = [target.engine for target in usable(target_of("torch", args), ENGINES)]
    asked = list(PARTS) if args.part == "all" else [args.part]
    found: dict[str, Any] = {part: PARTS[part](engines, args) for part in asked}
    if args.json:
        conditions = {engine: target_of(engine, args).conditions for engine in engines}
        first = next(iter(conditions.values()))
        place = {"device": first.device, "threads": first.threads, "allocator": first.allocator}
        versions = {engine: each.versions for engine, each in conditions.items()}
        command = shown_command("engines.py", argv)
        about = {"command": command, "date": provenance()["date"], "instructions": instructions()}
        write_json(args.json, {**about, **place, "versions": versions, "lr_size": args.lr_size, **found})
    return DONE


def parse(argv: list[str] | None) -> Namespace:
    """Read the command line."""
    parser = Parser(
        prog="python benchmarks/engines.py",
        description="Measure engines on the CPU: before and after, history, preparation, sizes, widths.",
        example="python benchmarks/engines.py all --network runs/forty/chosen/network.pth --json engines.json",
    )
    parser.add_argument("part", nargs="?", choices=("all", *PARTS), default="all", help="what to measure (default all)")
    parser.add_argument("--network", type=Path, action="append", default=[], metavar="CHECKPOINT",
                        help=f"measured with {', '.join(RIVALS)}; may be given several times")  # fmt: skip
    parser.add_argument("--lr-size", default="256x256", metavar="WxH", help="default 256x256")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="processes of each kind (default 3)")
    parser.add_argument("--seconds", type=float, default=3.0, metavar="S", help="of timed runs each (default 3)")
    parser.add_argument("--step", type=int, default=2, metavar="N", help="between widths (default 2)")
    parser.add_argument("--child", nargs="+", help="for its own use: kind of process, engine, network")
    parser.add_shared("json")
    args = parser.parse_args(argv)
    parse_size(args.lr_size)
    if min(args.rounds, args.step) < 1 or args.seconds <= 0:
        raise InputError("--rounds and --step must be at least 1, --seconds over 0")
    return args


def target_of(engine: str, args: Namespace) -> Target:
    """Return the CPU in an engine."""
    return Target(CPU, parse_size(args.lr_size), engine=engine)


def instructions() -> list[str]:
    """Return what the processor has of the instructions that engines are fast by; empty where nobody tells."""
    known = ("avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16")
    cpuinfo = Path("/proc/cpuinfo")
    flags = set(cpuinfo.read_text(encoding="utf-8").split()) if cpuinfo.is_file() else set()
    return [name for name in known if name in flags]


def names_of(args: Namespace) -> list[str]:
    """Return the networks that are measured: checkpoints, and baselines by name."""
    return [*map(str, args.network), *RIVALS]


def network_of(name: str) -> nn.Module:
    """Return a deployed network by its name."""
    torch.manual_seed(0)
    return deploy(build_baseline(name) if name in BASELINES else load_network(name))


def before_after(engines: Sequence[str], args: Namespace) -> dict[str, Any]:
    """Measure every network in every engine before and after, in turns; say and return medians and ratios."""
    found: dict[str, Any] = {}
    for name in names_of(args):
        for engine in engines:
            runs: dict[str, list[dict[str, Any]]] = {"before": [], "after": []}
            for _ in range(args.rounds):
                for arm, taken in runs.items():
                    taken.append(in_process(args, arm, engine, name))
            medians = {arm: statistics.median(each["ms"] for each in taken) for arm, taken in runs.items()}
            ratio = medians["before"] / medians["after"]
            idle = all(each["idle"] for taken in runs.values() for each in taken)
            is_chosen, goal = name not in RIVALS, GOALS[engine]
            verdict = f"; goal {goal:g} {'met' if ratio >= goal else 'missed'}" if is_chosen else ""
            say(f"{name} in {engine}: {medians['before']:.1f} ms before, {medians['after']:.1f} after, {ratio:.2f} "
                f"times{verdict}{'' if idle else '; others were busy'}")  # fmt: skip
            found.setdefault(name, {})[engine] = {
                "before_ms": medians["before"], "after_ms": medians["after"], "ratio": ratio, "idle": idle,
                "processes": runs, **({"goal": goal} if is_chosen else {}),
            }  # fmt: skip
    return found


def history(engines: Sequence[str], args: Namespace) -> dict[str, Any]:
    """Measure a network first and last in a process, as the allocator is and as it is set; say and return ratios."""
    found: dict[str, Any] = {}
    name = names_of(args)[0]
    for engine in engines:
        for arm in ("history-before", "history"):
            taken = [in_process(args, arm, engine, name) for _ in range(args.rounds)]
            ratio = statistics.median(each["last_ms"] / each["first_ms"] for each in taken)
            within = "" if arm != "history" else f" (within {MOST_APART:.0%}: {abs(ratio - 1) <= MOST_APART})"
            allocator = "freed memory kept" if arm == "history" else "the allocator as it is"
            say(f"{name} in {engine}, {allocator}: last over first {ratio:.3f}{within}")
            found.setdefault(engine, {})[arm] = {"ratio": ratio, "processes": taken}
    return found


def in_process(args: Namespace, *of: str) -> dict[str, Any]:
    """Run a child process with a network of its own and return what it printed."""
    command = [sys.executable, str(Path(__file__).resolve()), "--lr-size", args.lr_size]
    command += ["--seconds", str(args.seconds), "--child", *of]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - itself
    if done.returncode:
        raise InputError(f"a process for {' '.join(of)} failed: {done.stderr.strip()[-300:]}")
    printed: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return printed


def child(arm: str, engine: str, name: str, args: Namespace) -> dict[str, Any]:
    """Measure one network in this fresh process."""
    target, network = target_of(engine, args), network_of(name)
    if arm in ("after", "history"):
        keep_freed_memory()
    if not arm.startswith("history"):
        prepared = (before_runners if arm == "before" else after_runners)(network, target)
        return timed(prepared, args.seconds)
    first = timed(after_runners(network, target), args.seconds)
    for other in RIVALS:
        timed(after_runners(network_of(other), target), args.seconds)
    last = timed(after_runners(network, target), args.seconds)
    return {"first_ms": first["ms"], "last_ms": last["ms"], "idle": first["idle"] and last["idle"]}


def after_runners(network: nn.Module, target: Target) -> list[Runner]:
    """Return a network as it runs now: torch in every memory format, the others from the file for this size."""
    engine = engine_of(target)
    if engine.name == "torch":
        return [engine.prepare(network, target, memory_format=each) for each in engine.memory_formats]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"network{engine.ending}"
        file_engine_of(target).write(network, target, path)
        return [engine.open(path, target)]


def before_runners(network: nn.Module, target: Target) -> list[Runner]:
    """Return a network as it ran before: the graph of the form that torch runs, laid out channels last."""
    if target.engine == "torch":
        return after_runners(network, target)
    graph = graph_before(network)
    if target.engine == "onnxruntime":
        return [OnnxRunner(graph, target, [picture_of(target)])]
    return [OpenVinoRunner(compiled(graph, target), [picture_of(target)])]


def graph_before(network: nn.Module) -> bytes:
    """Return a network as ONNX of free size as it was exported before."""
    copied = copy.deepcopy(network)
    lay_out(copied, "channels_last")
    free = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(copied, (torch.rand(2, 3, 48, 64),), dynamic_shapes=(free,))
        exported = torch.onnx.export(
            program, dynamo=True, opset_version=18, input_names=["lr"], output_names=["sr"], external_data=False,
            dynamic_shapes=({0: "batch", 2: "height", 3: "width"},), verbose=False,
        )  # fmt: skip
    assert exported is not None
    content: bytes = exported.model_proto.SerializeToString()
    return content


def timed(runners: Sequence[Runner], seconds: float) -> dict[str, Any]:
    """Time what is ready to run, the fastest of it: the median, and the page faults of a run."""
    with measuring_on(CPU):
        idle = wait_until_idle(10.0)
        best: dict[str, Any] = {}
        for runner in runners:
            for _ in range(3):
                runner.run_ms()
            faults, times = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, list[float]()
            while len(times) < 10 or sum(times) < 1000 * seconds:
                times.append(runner.run_ms())
            faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
            ms = statistics.median(times)
            if not best or ms < best["ms"]:
                best = {"ms": ms, "p10_ms": statistics.quantiles(times, n=10)[0], "faults": faults / len(times)}
    return {**best, "idle": idle}


def prepare(engines: Sequence[str], args: Namespace) -> dict[str, Any]:
    """Say and return the seconds to prepare candidates: of a new structure, of a known one, and of a first run."""
    space, rng = SPACES["msrresnet"], random.Random(0)  # noqa: S311 - no secret
    # Others for each engine: a graph is remembered by its structure.
    candidates = {engine: [space.decode(space.sample(rng)) for _ in range(5)] for engine in engines}
    # Once for what only the first export of a process pays.
    part_graph(plain(8), [picture_of(target_of("torch", args))])
    found: dict[str, Any] = {}
    for engine in engines:
        target, taken = target_of(engine, args), []
        for network in (deploy(build(architecture)) for architecture in candidates[engine]):
            inputs = [picture_of(target)]
            began = time.perf_counter()
            if engine != "torch":
                part_graph(network, inputs)
            exported = time.perf_counter()
            engine_of(target).prepare(network, target, any_weights=True)
            new = time.perf_counter()
            runner = engine_of(target).prepare(network, target, any_weights=True)
            known = time.perf_counter()
            runner.run()
            ran = time.perf_counter()
            taken.append((exported - began, new - exported, known - new, ran - known))
        names = ("export_seconds", "new_seconds", "known_seconds", "first_run_seconds")
        medians = {name: statistics.median(each) for name, each in zip(names, zip(*taken, strict=True), strict=True)}
        say(f"{engine}: a candidate takes {medians['new_seconds']:.2f} s to prepare, of which "
            f"{medians['export_seconds']:.2f} s are the export; {medians['known_seconds']:.2f} s where its structure "
            f"is known; its first run {medians['first_run_seconds']:.2f} s")  # fmt: skip
        found[engine] = medians
    return found


def sizes(engines: Sequence[str], args: Namespace) -> dict[str, Any]:
    """Measure files of free and of fixed size in the same rounds; say and return their ratio."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        subjects = {}
        for name in names_of(args):
            for engine in set(engines) - {"torch"}:
                target = target_of(engine, args)
                for free in (True, False):
                    path = Path(folder) / f"{len(subjects)}{engine_of(target).ending}"
                    file_engine_of(target).write(network_of(name), target, path, free_size=free)
                    subjects[f"{name} {engine} {free}"] = Subject(path, target)
        runtimes = measure_subjects(subjects, Protocol(seconds=args.seconds)) if subjects else {}
    for name in names_of(args):
        for engine in sorted(set(engines) - {"torch"}):
            free_ms, fixed_ms = (runtimes[f"{name} {engine} {free}"].median_ms for free in (True, False))
            say(f"{name} in {engine}: {free_ms:.1f} ms of free size, {fixed_ms:.1f} of fixed size, "
                f"{free_ms / fixed_ms:.3f} times")  # fmt: skip
            ratio = free_ms / fixed_ms
            found.setdefault(name, {})[engine] = {"free_ms": free_ms, "fixed_ms": fixed_ms, "ratio": ratio}
    return found


def widths(engines: Sequence[str], args: Namespace) -> dict[str, Any]:
    """Measure one network at several widths in each engine; say and return runtimes, and what each step costs."""
    tried = range(8, 33, args.step)
    found: dict[str, Any] = {}
    for engine in engines:
        target = target_of(engine, args)
        subjects = {str(width): Subject(plain(width), target) for width in tried}
        runtimes = measure_subjects(subjects, Protocol(seconds=args.seconds / 3))
        found[engine] = {width: runtime.median_ms for width, runtime in runtimes.items()}
        say(f"{engine}, ms by width: " + ", ".join(f"{width}: {ms:.1f}" for width, ms in found[engine].items()))
    return found


def plain(width: int) -> nn.Module:
    """Return eight convolutions of `width` channels between head and tail, with leaky ReLUs."""
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1)]
    for _ in range(8):
        layers += [nn.LeakyReLU(0.1), nn.Conv2d(width, width, 3, padding=1)]
    return nn.Sequential(*layers, nn.Conv2d(width, 48, 3, padding=1), nn.PixelShuffle(4)).eval()


PARTS = {"before-after": before_after, "history": history, "prepare": prepare, "sizes": sizes, "widths": widths}

if __name__ == "__main__":
    sys.exit(run(main))

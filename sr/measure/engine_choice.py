"""Which engine a target gets where none is asked for: the one that runs what is shipped fastest on this device."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import nn

from sr.constraints import AUTO
from sr.lr_size import size_text
from sr.measure.engines.registry import engine_of, usable
from sr.measure.target import Target
from sr.measure.timing_cache import TimingCache, cache_path, place
from sr.measure.watch import watch_of
from sr.progress import Message, Report, no_report
from sr.scale import DEFAULT_SCALE

# What is shipped is ONNX, or what these make of it: torch runs the checkpoint, which is for going on with.
_SHIPPED = ("onnxruntime", "openvino", "tensorrt")
_SUBJECT = "engines' runtimes"
# How often engines are compared until nothing else was at work meanwhile, and how long that is waited for each time.
_ATTEMPTS, _IDLE_SECONDS = 3, 5.0


def with_engine(target: Target, engine: str, *, report: Report = no_report, path: Path | None = None) -> Target:
    """Return the target in an engine by its name.

    Args:
        target: In any engine.
        engine: One of `ENGINE_NAMES`, or auto: the fastest that is installed of those that run what is shipped; torch
            where none does on this device.
        report: Is told which engine auto is.
        path: Where it is remembered how fast engines are; by default in the user's cache folder.

    Raises:
        InputError: Where that engine is not installed or does not run the target's dtype.
    """
    if engine != AUTO:
        chosen = target.in_engine(engine)
        engine_of(chosen)
        return chosen
    candidates = usable(target, _SHIPPED)
    if not candidates:
        chosen = target.in_engine("torch")
        engine_of(chosen)
        report(Message(f"engine torch: no other that is installed runs {target.dtype} on {target.device}"))
        return chosen
    if len(candidates) == 1:
        report(Message(f"engine {candidates[0].engine}: the only one installed that runs what is shipped"))
        return candidates[0]
    times, undisturbed = _probe_ms(candidates, path, report)
    chosen = min(candidates, key=lambda each: times[each.engine])
    listed = ", ".join(f"{name} {ms:.1f} ms" for name, ms in sorted(times.items(), key=lambda each: each[1]))
    beside = (
        "" if undisturbed else " beside the other programs that are at work, to be compared again by the next command"
    )
    words = f"the fastest here for a small network ({listed}){beside}; --engine names another"
    report(Message(f"engine {chosen.engine}: {words}"))
    return chosen


def _probe_ms(candidates: list[Target], path: Path | None, report: Report) -> tuple[dict[str, float], bool]:
    """Return the milliseconds of a small network in each engine, and whether nothing disturbed them.

    They are measured once per device and version: those that something disturbed are not remembered.
    """
    target = candidates[0]
    path = path or cache_path("engines", place(target.device, target.dtype, engine="torch"))
    known = TimingCache(_SUBJECT, target.device, target.dtype, path, report=report)
    keys = {each.engine: f"{each.conditions.versions} {size_text(each.lr_size)}" for each in candidates}
    if all(known.knows(key) for key in keys.values()):
        return {name: known.ms(key) for name, key in keys.items()}, True
    works = {keys[each.engine]: partial(_run_of, each) for each in candidates}
    watch, found = watch_of(target.device), list[TimingCache]()
    for _ in range(_ATTEMPTS):
        idle = watch.wait_until_idle(_IDLE_SECONDS)
        watch.begin()
        # What several engines take is compared, so that all of it is of the same rounds.
        found.append(TimingCache(_SUBJECT, target.device, target.dtype, None, report=report))
        found[-1].measure(works)
        if idle and not watch.disturbed():
            # Those of other sizes stay; nothing is compared between sizes.
            new = found[-1].timings
            known.remember(replace(new, ms={**known.timings.ms, **new.ms}))
            known.save()
            return {name: known.ms(key) for name, key in keys.items()}, True
    # Engines suffer unequally from what takes a processor from their threads: it may be another one on an idle device.
    return {name: min(each.ms(key) for each in found) for name, key in keys.items()}, False


def _run_of(target: Target) -> Callable[[], object]:
    """Return a run of the small network on a target: eight convolutions of 16 channels between head and tail."""
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, padding=1)]
    for _ in range(8):
        layers += [nn.LeakyReLU(0.1), nn.Conv2d(16, 16, 3, padding=1)]
    # At every scale the same: which engine is faster the body decides.
    tail = nn.Conv2d(16, 3 * DEFAULT_SCALE**2, 3, padding=1), nn.PixelShuffle(DEFAULT_SCALE)
    network = nn.Sequential(*layers, *tail).eval()
    return engine_of(target).prepare(network, target).execute

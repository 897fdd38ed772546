"""What a search is asked for: frozen values that keep their constraints; free of torch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nas.config.cluster import check_cluster, weights_place
from nas.config.fidelity import TRAINED_RUNGS, Fidelity
from nas.config.shared import SharedConfig
from sr.constraints import as_paths, at_least, one_of
from sr.errors import InputError
from sr.files import StrPath

# The keys of `nas.samplers.registry.SAMPLERS` and of `nas.samplers.nni_tuners.TUNERS`.
SAMPLER_NAMES = ("mixed", "tpe", "nsga2", "evolution", "random", "nni")
NNI_TUNER_NAMES = ("TPE", "Random", "Evolution", "GP")
DEFAULT_SECONDS = 600.0
# What stands for every family of `rivals`.
ALL = "all"
# So many different networks without a gain are no longer bad luck.
DEFAULT_PATIENCE = 40


@dataclass(frozen=True, kw_only=True)
class SearchConfig(SharedConfig):
    """What is searched, within what budget and what time, by which sampler, and where the results go.

    Attributes:
        out: Folder for the results. Held as a `Path`.
        time_limit: Seconds for the whole search; None for ten minutes, or for no limit where `trials` is given.
        trials: Candidates in all; None for as many as the time allows.
        trial_steps: Steps of a candidate that trains to the last rung; None for what the time allows.
        train_steps: Steps of the chosen network; None for what the time allows.
        fidelity: How candidates are judged: by `rungs`, short trainings that the best go on from; by a `supernet`'s
            weights; or by one full training each, `train`.
        init: What trainings start from: `scratch` or `supernet`; None for the supernet where `fidelity` is that.
        sampler: What proposes, a key of `SAMPLERS`.
        nni_tuner: Of the sampler `nni`.
        teacher: Checkpoint of a stronger network that all trainings learn from. Held as a `Path`.
        distillation: Its share in what is learnt from, 0 to 1; None for 0.5 with a teacher, else 0.
        workers: Trainings at once; None for as many as are fastest, where the time allows to measure that.
        cluster: Of Ray, whose nodes train: `auto`, `local` or ray://HOST:10001; None to train on this machine without.
        artifacts: Where the weights of candidates lie, of this search alone: a folder, which all nodes of a cluster see
            by the same path, or a bucket that fsspec reaches, such as s3://bucket/forty; None for a folder in `out`.
            Held as a `Path`, a bucket as text.
        patience: Candidates without a better front that end the search.
        study: The name of the study in the storage.
        storage: Database URL or path of a journal; None for a journal in `out`.
        resume: Whether to go on with a study that is there.
        warm_start: Folder of an earlier search of the same conditions, whose trials this one begins with. Held as a
            `Path`.
        rivals: Hand-designed families, keys of `baselines.BASELINES`, whose largest members within the budget are
            trained for as many steps as the chosen network, beyond the time limit; `all` alone for every one.
        use_seeds: Whether the space's own architectures are proposed first.
        use_predictions: Whether runtimes are predicted from what this device was measured on before; without, every
            proposal is measured.

    Raises:
        InputError: Where a value breaks its constraint; the line names the command's flag.
    """

    out: StrPath = "runs/search"
    time_limit: float | None = None
    trials: int | None = None
    trial_steps: int | None = None
    train_steps: int | None = None
    fidelity: Fidelity = "rungs"
    init: Literal["scratch", "supernet"] | None = None
    sampler: str = "mixed"
    nni_tuner: str = "TPE"
    teacher: StrPath | None = None
    distillation: float | None = None
    workers: int | None = None
    cluster: str | None = None
    artifacts: StrPath | None = None
    patience: int = DEFAULT_PATIENCE
    study: str = "search"
    storage: str | None = None
    resume: bool = False
    warm_start: StrPath | None = None
    rivals: tuple[str, ...] = ()
    use_seeds: bool = True
    use_predictions: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "artifacts", weights_place(self.artifacts, self.cluster))
        as_paths(self, "out", "teacher", "warm_start")
        check_cluster(self.cluster, self.devices)
        at_least(1, self, "trials", "trial_steps", "train_steps", "workers", "patience")
        one_of(self, "fidelity", tuple(sorted(TRAINED_RUNGS)))
        one_of(self, "sampler", SAMPLER_NAMES)
        one_of(self, "nni_tuner", NNI_TUNER_NAMES)
        if self.init not in (None, "scratch", "supernet"):
            raise InputError(f"--init must be scratch or supernet, got {self.init!r}")
        if self.time_limit is not None and not self.time_limit > 0:
            raise InputError(f"--time-limit must be over zero seconds, got {self.time_limit}")
        share = self.teacher_share
        if not 0 <= share <= 1:
            raise InputError(f"--distillation must be within 0 and 1, got {share}")
        if (share > 0) != (self.teacher is not None):
            raise InputError("--distillation over 0 and --teacher CKPT go together; give both or neither")

    def rivals_of(self, families: Sequence[str]) -> tuple[str, ...]:
        """Return which of these families are trained beside the chosen network."""
        return tuple(families) if self.rivals == (ALL,) else self.rivals

    @property
    def weights(self) -> Path | None:
        """The folder of the weights where it is not in `out`."""
        return self.artifacts if isinstance(self.artifacts, Path) else None

    @property
    def bucket(self) -> str | None:
        """The URL of the bucket of the weights; None where they lie in a folder."""
        return self.artifacts if isinstance(self.artifacts, str) else None

    @property
    def seconds(self) -> float:
        """Seconds that the whole search may take; infinite for no limit."""
        if self.time_limit is not None:
            return self.time_limit
        return DEFAULT_SECONDS if self.trials is None else math.inf

    @property
    def teacher_share(self) -> float:
        """The share of the teacher in what is learnt from, 0 to 1."""
        if self.distillation is not None:
            return self.distillation
        return 0.0 if self.teacher is None else 0.5

    @property
    def starts_from_supernet(self) -> bool:
        """Whether trainings start from a supernet's weights."""
        return (self.init or ("supernet" if self.fidelity == "supernet" else "scratch")) == "supernet"

    @property
    def needs_supernet(self) -> bool:
        """Whether a supernet is trained before the first candidate."""
        return self.fidelity == "supernet" or self.starts_from_supernet

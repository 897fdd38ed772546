"""From a config to what all candidates are evaluated by: pictures, target and recipe."""

from pathlib import Path

from nas.config.shared import SharedConfig
from nas.evaluate import Setup
from search_spaces.msrresnet import REFERENCE_NETWORK
from sr.data.pairs import on_device, same_pictures
from sr.data.sources import PictureSet, holds_validation, load_set
from sr.errors import InputError
from sr.measure.engine_choice import with_engine
from sr.measure.target import Target, parse_device, parse_devices
from sr.progress import Report, no_report
from sr.training.recipe import Recipe

# Short trainings are judged on the centres of a few pictures: enough to rank, in a fraction of the time.
CROP_SIDE, CROPS = 96, 20
# Batch and LR patch: in the minutes that a CPU search has, many small steps go further than few large ones.
SMALL_STEPS, LARGE_STEPS = (8, 24), (32, 48)


def load_pictures(config: SharedConfig, report: Report = no_report) -> tuple[PictureSet, PictureSet]:
    """Load training and validation pictures of the config's scale, in this order.

    Raises:
        InputError: Where they share a picture, a folder holds none, or one is smaller than a patch.
    """
    _, patch = _batch_and_patch(config)
    data, val = (None if folder is None else Path(folder) for folder in (config.data, config.val))
    training = load_set(data, "train", minimum_lr_side=patch, report=report, scale=config.scale)
    if val is None and data is not None and holds_validation(data, config.scale):
        val = data
    validation = load_set(val, "val", minimum_lr_side=16, report=report, scale=config.scale)
    if shared := same_pictures(training.pairs, validation.pairs):
        raise InputError(
            f"training and validation must not share a picture, but both hold {', '.join(shared[:3])}; "
            f"give --val a folder of its own"
        )
    return training, validation


def make_setup(
    config: SharedConfig, steps: int, train: PictureSet, val: PictureSet, report: Report = no_report
) -> Setup:
    """Put together what all candidates share.

    Args:
        config: The budget, the target and the seed; batch and patch have the device's defaults.
        steps: Of the training of one candidate.
        train: Pictures to train on; they go to the device where they fit.
        val: Pictures to validate on, of which candidates see the centres of a few.
        report: Is told which engine runs them where the config leaves it open.

    Raises:
        InputError: Where the device or the engine is not there.
    """
    target = target_of(config, report)
    batch, patch = _batch_and_patch(config)
    return Setup(
        budget_ms=config.budget_ms,
        target=target,
        recipe=Recipe(steps=steps, batch=batch, patch=patch, seed=config.seed, rising_beta2=True, solve_output=True),
        train=on_device(train.pairs, target.device),
        val=val.pairs.centre_crops(CROP_SIDE, CROPS).to(target.device),
        reference=REFERENCE_NETWORK,
        pictures={name: each.manifest.identity for name, each in (("train", train), ("val", val))},
        devices=(target.device,) if config.devices is None else parse_devices(config.devices),
    )


def target_of(config: SharedConfig, report: Report = no_report) -> Target:
    """Return what networks are to be fast on; raises InputError where that device or engine is not there."""
    target = Target.of(config.measured_on, config.lr_size, config.dtype, execution=config.execution, report=report)
    return with_engine(target, config.engine, report=report)


def _batch_and_patch(config: SharedConfig) -> tuple[int, int]:
    batch, patch = SMALL_STEPS if parse_device(config.measured_on).type == "cpu" else LARGE_STEPS
    return batch if config.batch is None else config.batch, patch if config.patch is None else config.patch

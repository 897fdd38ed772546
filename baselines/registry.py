"""The hand-designed networks of the field by name, and how a name and a config become a network."""

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from baselines.entry import Baseline
from baselines.networks import (
    abpn,
    amafnet,
    bicubic_pp,
    bsrn,
    cfn,
    dilutnet,
    disp,
    ecbsr,
    efdn,
    espcn,
    esrnet,
    etds,
    fimdn,
    fmen,
    fsrcnn,
    gcsr,
    hcsrn,
    idlesr,
    imdn,
    imdn_paper,
    isrresdnet,
    larn,
    larvanet,
    latticenet,
    lfn,
    lmsr,
    maffsrn,
    msrresnet,
    neptuneai,
    pan,
    pfsnet,
    plainusr,
    psan,
    pwan,
    quicksrnet,
    rfdn,
    rlfn,
    rt4ksr,
    safmn,
    sam_sr_lite,
    sesr,
    span,
    spanv2,
    spsr,
    srrn,
    srvgg,
    xlsr,
)
from sr.errors import InputError
from sr.scale import DEFAULT_SCALE, check_scale

# The challenge's systems, then what is no row of its Table 1 in the order in which the table lists it.
BASELINES: dict[str, Baseline] = {
    "msrresnet": msrresnet.ENTRY,
    "imdn": imdn.ENTRY,
    "rfdn": rfdn.ENTRY,
    "fimdn": fimdn.ENTRY,
    "pan": pan.ENTRY,
    "latticenet": latticenet.ENTRY,
    "gcsr": gcsr.ENTRY,
    "maffsrn": maffsrn.ENTRY,
    "larvanet": larvanet.ENTRY,
    "dilutnet": dilutnet.ENTRY,
    "larn": larn.ENTRY,
    "pfsnet": pfsnet.ENTRY,
    "psan": psan.ENTRY,
    "lmsr": lmsr.ENTRY,
    "idlesr": idlesr.ENTRY,
    "hcsrn": hcsrn.ENTRY,
    "sam_sr_lite": sam_sr_lite.ENTRY,
    "neptuneai": neptuneai.ENTRY,
    "esrnet": esrnet.ENTRY,
    "cfn": cfn.ENTRY,
    "pwan": pwan.ENTRY,
    "srrn": srrn.ENTRY,
    "amafnet": amafnet.ENTRY,
    "lfn": lfn.ENTRY,
    "spsr": spsr.ENTRY,
    "isrresdnet": isrresdnet.ENTRY,
    "imdn_paper": imdn_paper.ENTRY,
    "ecbsr": ecbsr.ENTRY,
    "rlfn": rlfn.ENTRY,
    "fmen": fmen.ENTRY,
    "bsrn": bsrn.ENTRY,
    "safmn": safmn.ENTRY,
    "efdn": efdn.ENTRY,
    "span": span.ENTRY,
    "disp": disp.ENTRY,
    "spanv2": spanv2.ENTRY,
    "espcn": espcn.ENTRY,
    "fsrcnn": fsrcnn.ENTRY,
    "abpn": abpn.ENTRY,
    "xlsr": xlsr.ENTRY,
    "sesr": sesr.ENTRY,
    "srvgg": srvgg.ENTRY,
    "bicubic_pp": bicubic_pp.ENTRY,
    "rt4ksr": rt4ksr.ENTRY,
    "etds": etds.ENTRY,
    "quicksrnet": quicksrnet.ENTRY,
    "plainusr": plainusr.ENTRY,
}


def build(name: str, **config: Any) -> nn.Module:  # noqa: ANN401 - any JSON value may come; what is wrong is refused
    """Build an untrained network of `BASELINES`.

    Args:
        name: A key of `BASELINES`.
        config: Replaces the defaults of its constructor: JSON values. `scale`, 4 where it is not given, is one of those
            that the network has.

    Returns:
        A network that maps (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w), in training mode.

    Raises:
        InputError: Where the name, a key or a value's type or size is not one of that network.
    """
    scale = config.get("scale", DEFAULT_SCALE)
    check_network(name, scale)
    entry = BASELINES[name]
    defaults = {key: parameter.default for key, parameter in inspect.signature(entry.network).parameters.items()}
    # A network of one scale takes none.
    own = {key: value for key, value in config.items() if key != "scale"}
    for key, value in own.items():
        _check_value(name, key, value, defaults)
    try:
        return entry.network(**own) if scale == DEFAULT_SCALE else entry.network(**own, scale=scale)
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{name} cannot be built with {config}: {error}") from error


def check_network(name: str, scale: int = DEFAULT_SCALE) -> None:
    """Raise InputError where there is no network of this name, or it has no such scale: then by those that have it."""
    if name not in BASELINES:
        raise InputError(f"a baseline is one of {', '.join(BASELINES)}; got {name!r}")
    check_scale(scale)
    if scale not in BASELINES[name].scales:
        known = " and ".join(f"x{each}" for each in BASELINES[name].scales)
        having = ", ".join(other for other, entry in BASELINES.items() if scale in entry.scales)
        raise InputError(f"{name} is a network of {known} alone; those that have x{scale} are {having}")


def scaled(config: Mapping[str, Any], scale: int) -> dict[str, Any]:
    """Return a config at a scale, as a checkpoint holds it: with `scale` where that is not 4."""
    plain = {key: value for key, value in config.items() if key != "scale"}
    return plain if scale == DEFAULT_SCALE else {**plain, "scale": scale}


def build_family(config: Mapping[str, Any]) -> nn.Module:
    """Build the network that a checkpoint's config {"name": a key of `BASELINES`, ...} describes; see `build`."""
    if "name" not in config:
        raise InputError(f"a baseline's config has a name, one of {', '.join(BASELINES)}; got {dict(config)}")
    return build(**config)


def _check_value(name: str, key: str, value: object, defaults: Mapping[str, object]) -> None:
    """Raise InputError unless `key` is one of `defaults` and `value` fits: of its type, a width in steps.

    An int is at least 1, or at least 0 where the default is 0.
    """
    if key not in defaults:
        raise InputError(f"{name} is configured by {', '.join(defaults)}; got {key!r}")
    if type(value) is not type(defaults[key]):
        raise InputError(f"{name}'s {key} must be of type {type(defaults[key]).__name__}, got {value!r}")
    smallest, step = 0 if defaults[key] == 0 else 1, BASELINES[name].channel_step
    if type(value) is int and value < smallest:
        raise InputError(f"{name}'s {key} must be at least {smallest}, got {value}")
    if key == "num_feat" and type(value) is int and value % step:
        raise InputError(f"{name}'s num_feat must be a multiple of {step}, got {value}")

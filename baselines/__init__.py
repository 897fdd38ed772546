"""The hand-designed networks of the field, by name."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from baselines.amafnet import AMAFNet
from baselines.bsrn import BSRN
from baselines.cfn import CFN
from baselines.dilutnet import DilutNet
from baselines.disp import DISP
from baselines.ecbsr import ECBSR
from baselines.efdn import EFDN
from baselines.esrnet import ESRNet
from baselines.fmen import FMEN
from baselines.gcsr import GCSR
from baselines.hcsrn import HCSRN
from baselines.idlesr import IdleSR
from baselines.imdn import IMDN, IMDNPaper, fimdn
from baselines.isrresdnet import ISRResDNet
from baselines.larn import LARN
from baselines.larvanet import LarvaNet
from baselines.latticenet import LatticeNet
from baselines.lfn import LFN
from baselines.lmsr import LMSR
from baselines.maffsrn import MAFFSRN
from baselines.msrresnet import MSRResNet
from baselines.neptuneai import neptuneai
from baselines.pan import PAN
from baselines.pfsnet import PFSNet
from baselines.psan import PSAN
from baselines.pwan import PWAN
from baselines.rfdn import RFDN
from baselines.rlfn import RLFN
from baselines.safmn import SAFMN
from baselines.sam_sr_lite import SAMSRLite
from baselines.span import SPAN
from baselines.spanv2 import SPANV2
from baselines.spsr import SPSR
from baselines.srrn import SRRN
from sr.errors import InputError

BASELINES: dict[str, Callable[..., nn.Module]] = {
    "msrresnet": MSRResNet,
    "imdn": IMDN,
    "imdn_paper": IMDNPaper,
    "rfdn": RFDN,
    "fimdn": fimdn,
    "pan": PAN,
    "latticenet": LatticeNet,
    "gcsr": GCSR,
    "maffsrn": MAFFSRN,
    "larvanet": LarvaNet,
    "dilutnet": DilutNet,
    "larn": LARN,
    "pfsnet": PFSNet,
    "psan": PSAN,
    "lmsr": LMSR,
    "idlesr": IdleSR,
    "hcsrn": HCSRN,
    "sam_sr_lite": SAMSRLite,
    "neptuneai": neptuneai,
    "esrnet": ESRNet,
    "cfn": CFN,
    "pwan": PWAN,
    "srrn": SRRN,
    "amafnet": AMAFNet,
    "lfn": LFN,
    "spsr": SPSR,
    "isrresdnet": ISRResDNet,
    "ecbsr": ECBSR,
    "rlfn": RLFN,
    "fmen": FMEN,
    "bsrn": BSRN,
    "safmn": SAFMN,
    "efdn": EFDN,
    "span": SPAN,
    "disp": DISP,
    "spanv2": SPANV2,
}
# What num_feat must be a multiple of, where blocks split or halve their channels.
CHANNEL_STEPS = {
    "imdn": 4,
    "imdn_paper": 4,
    "fimdn": 4,
    "gcsr": 4,
    "dilutnet": 4,
    "larn": 4,
    "lmsr": 4,
    "idlesr": 4,
    "rfdn": 2,
    "pan": 2,
    "latticenet": 2,
    "pfsnet": 2,
    "efdn": 2,
    "pwan": 2,
    "spsr": 3,
    "safmn": 4,
}


def build(name: str, **config: Any) -> nn.Module:  # noqa: ANN401 - any JSON value may come; what is wrong is refused
    """Build an untrained network of `BASELINES`; `config` replaces its constructor's defaults.

    Raises InputError where the name, a key or a value's type or size is not one of that network.
    """
    if name not in BASELINES:
        raise InputError(f"a baseline is one of {', '.join(BASELINES)}; got {name!r}")
    defaults = {key: parameter.default for key, parameter in inspect.signature(BASELINES[name]).parameters.items()}
    for key, value in config.items():
        check_value(name, key, value, defaults)
    try:
        return BASELINES[name](**config)
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{name} cannot be built with {config}: {error}") from error


def check_value(name: str, key: str, value: object, defaults: Mapping[str, object]) -> None:
    """Raise InputError unless `key` is one of `defaults` and `value` fits: of its type, a width in steps.

    An int is at least 1, or at least 0 where the default is 0.
    """
    if key not in defaults:
        raise InputError(f"{name} is configured by {', '.join(defaults)}; got {key!r}")
    if type(value) is not type(defaults[key]):
        raise InputError(f"{name}'s {key} must be of type {type(defaults[key]).__name__}, got {value!r}")
    smallest = 0 if defaults[key] == 0 else 1
    if type(value) is int and value < smallest:
        raise InputError(f"{name}'s {key} must be at least {smallest}, got {value}")
    if key == "num_feat" and type(value) is int and value % CHANNEL_STEPS.get(name, 1):
        raise InputError(f"{name}'s num_feat must be a multiple of {CHANNEL_STEPS[name]}, got {value}")


def build_family(config: Mapping[str, Any]) -> nn.Module:
    """Build the network that a checkpoint's config {"name": a key of `BASELINES`, ...} describes."""
    if "name" not in config:
        raise InputError(f"a baseline's config has a name, one of {', '.join(BASELINES)}; got {dict(config)}")
    return build(**config)

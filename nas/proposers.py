"""Every way of proposing architectures, by name."""

from collections.abc import Callable

from nas.engine import Proposer, Terms
from nas.evolution import Evolution
from nas.nni_engine import NniProposer
from nas.optuna_engine import NsgaProposer, TpeProposer, mixed
from nas.random_search import RandomSearch

ENGINES: dict[str, Callable[[Terms], Proposer]] = {
    "mixed": mixed,
    "tpe": TpeProposer,
    "nsga2": NsgaProposer,
    "evolution": Evolution,
    "random": RandomSearch,
    "nni": NniProposer,
}

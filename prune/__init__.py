"""Pruning that makes a network really faster.

Public: `prune.config.PruneConfig`, what is asked for; `prune.pipeline.prune`, the call, and its `PruneResult`;
`python -m prune.run`, the command. The door of the project, `paretosr`, has the first three under their names.
"""

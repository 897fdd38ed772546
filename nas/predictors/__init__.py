"""Predictors: what a search expects of a proposal before it is measured or trained.

Public are `latency` (runtimes, from the networks measured so far), `feasibility` (how far that is to be trusted),
`psnr_regression` (the PSNR from costs, blocks and cheap scores) and `surrogate` (both, as a search asks for them).
`ridge` serves them.
"""

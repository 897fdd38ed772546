"""Predictors: what a search expects of a proposal before it is measured or trained, and what such scores are worth.

Public are `latency_table` (runtimes from a lookup table), `feasibility` (whether they meet the budget),
`psnr_regression` (the PSNR from costs, blocks and cheap scores), `surrogate` (both, as a search asks for them),
`calibration` and `ranking` (how well cheap scores put networks in order). `latency_entries`, `latency_correction` and
`ridge` serve them.
"""

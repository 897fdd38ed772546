"""Optuna as the record of a study and as two of the samplers; the only importer of optuna."""

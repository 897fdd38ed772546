"""Table 1 and Table 2 of the AIM 2020 challenge: published, counted and measured."""

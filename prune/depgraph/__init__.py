"""torch-pruning's coupled groups: the rival of pruning each convolution by itself."""

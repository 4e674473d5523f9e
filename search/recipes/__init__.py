"""Training recipes as data: files, published ones, priors by size."""

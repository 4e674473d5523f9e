"""Whether the papers' findings hold in a trained population: tests, and answers in words."""

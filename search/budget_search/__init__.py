"""Architecture search at a budget: many networks for a short while, the best to the end."""

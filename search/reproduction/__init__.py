"""The papers' findings again, small: the ladder of design spaces on embedded data."""

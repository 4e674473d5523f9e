"""Per-block widths of networks: fits by a line, landmarks, explanations."""

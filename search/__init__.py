"""Training, populations and tuning."""

"""Grouped convolutions, fast on the device at hand."""

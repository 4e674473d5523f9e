"""Grouped convolutions and batch norm, fast on the device at hand."""

"""Figures of populations: each draws a computed record on an Axes; ``kinds`` makes whole pages."""

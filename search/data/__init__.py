"""Data sets, their sources, augmentation, and batches of them."""

"""What the calls of Keras layers cost."""

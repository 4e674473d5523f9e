"""What training does on each Keras backend: the same few functions, one module a backend.

``on_tensorflow`` and ``on_jax`` have each ``find_devices``, ``set_threads`` and ``Steps``
(`seam.Backend`); nothing else in training asks which backend it is.
"""

"""regnet-ds: a toolkit for network design spaces.

The packages are ``designspace`` (architectures as data), ``regnet`` (Keras models),
``search`` (training, populations, tuning) and ``analysis`` (error distributions).
Importing this module imports none of them.
"""

__version__ = "0.1.0"

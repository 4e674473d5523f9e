"""Trials that wait, and the processes on any number of machines that train them."""

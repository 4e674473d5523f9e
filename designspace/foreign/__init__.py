"""Configurations in the forms of other libraries."""

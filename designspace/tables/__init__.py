"""Populations and spaces as tables: columns of cells, CSV, JSON and Parquet."""

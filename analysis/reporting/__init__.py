"""A report of populations as one HTML file: what is in it, its drawings, and the page."""

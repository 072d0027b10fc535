"""Experiments: each trains what `core` defines. They never import the page, nor each other."""

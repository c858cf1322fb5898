"""Prysm: several language models on one prompt, and a receipt for every answer."""

__version__ = "0.1.0"

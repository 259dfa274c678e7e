"""Transports: the enforcement point inside a Python process."""

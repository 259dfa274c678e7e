"""Connectors: the interface, and which one owns a destination."""

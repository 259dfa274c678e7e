"""Parsers: from a request's path or body to what it means."""

"""Secrets: in memory, by reference, and encrypted at rest."""

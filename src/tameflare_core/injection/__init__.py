"""Injection: how a credential is written into a request."""

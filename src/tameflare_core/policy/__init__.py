"""Policies: conditions over what a request does, who asks, and when."""

"""Configurations: read strictly, and turned into gateways."""

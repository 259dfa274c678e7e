"""The `tf` command."""

"""The gateway: an egress proxy that judges every request before it leaves."""

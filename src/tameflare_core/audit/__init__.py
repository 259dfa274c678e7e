"""The audit log: events in a hash chain, signed checkpoints, and the proof that nothing changed."""

"""A gateway's side of the control plane: what it fetches, hears, asks and keeps."""

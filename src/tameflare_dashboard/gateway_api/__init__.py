"""What gateways call, with their tokens."""

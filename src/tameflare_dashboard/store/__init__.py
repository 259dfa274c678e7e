"""What is kept, and the operations on it: one module for each kind of thing."""

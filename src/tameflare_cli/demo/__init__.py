"""What `tf demo` shows: two vendors, an agent, and what each of them saw."""

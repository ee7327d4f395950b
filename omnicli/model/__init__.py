"""Values: what the rest of omni talks about. No I/O, no clock, no chance."""

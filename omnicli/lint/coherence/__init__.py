"""Says of every rendering what it states, where it says so, and whether the message agrees."""

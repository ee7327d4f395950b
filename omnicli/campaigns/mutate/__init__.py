"""A consistency checker that is never wrong has been lied to: one fault at a time is seeded into clean messages, and counted
as caught only with a finding of the expected code at the seeded place (docs/coherence, Mutations)."""

"""What differs between two versions of a campaign: words, facts, flow, guardrails, people. Trees are compared, never text (cli 4.2)."""

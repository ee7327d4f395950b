"""The rules, one file a family; each function is one rule and yields its findings."""

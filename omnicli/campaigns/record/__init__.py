"""A saved plan: ids, hashes, counts and costs, no address and no text; it binds its exact touches and nothing else (cli 4.1)."""

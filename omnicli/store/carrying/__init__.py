"""Rows of a store into another one, of SQLite or PostgreSQL, whole and in one snapshot: what `db copy` and a rehearsal on PostgreSQL stand on."""

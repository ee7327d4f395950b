"""People of older versions move to the applied one, as the file's `migrate:` says; nobody is moved who has no place there."""

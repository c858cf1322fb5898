"""The transparency log in Postgres: who writes it, who reads it, and the keys that sign it."""

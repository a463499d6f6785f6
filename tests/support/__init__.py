"""Real servers and a real client for tests, demo and benchmarks: PostgreSQL, Synapse, the steward, an admin."""

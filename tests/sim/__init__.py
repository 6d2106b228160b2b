"""The seeded simulator of payments: the two pure state machines in a world where everything fails."""

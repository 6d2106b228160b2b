"""Every branch of a payment (MONEY.md B1–B37), through the real doors, with tests that bear its name."""

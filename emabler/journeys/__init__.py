"""Complete payments, tap to receipt, played against a running server through its public doors only."""

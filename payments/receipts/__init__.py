"""Driver's side: receipt links, the session page, the frozen receipt and its PDF."""

"""Pages about money: how payments stand, what waits for a person, refunds, settlement files, exports."""

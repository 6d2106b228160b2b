"""The operators' portal: what stands where, what happens now, what the money does."""

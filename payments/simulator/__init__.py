"""A payment terminal provider with its PSP in code; the demo's virtual terminal speaks through it."""

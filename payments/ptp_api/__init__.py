"""The native terminal API: what a PTP's terminals ask, and what they are answered (HTTP, JSON, DRF)."""

"""The chaos campaign: many sessions while stores, processes, sockets and a PTP fail; then calm, and what must hold."""

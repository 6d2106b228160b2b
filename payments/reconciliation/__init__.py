"""Whether the PTP's money is what our bills say: CDR against confirmation against the PTP's settlement file."""

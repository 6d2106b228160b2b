"""One whole charge, played once for each version; the checks look at its record."""

"""Price a usage from files: what a person, an auditor or a receiver of a CDR checks a price with."""

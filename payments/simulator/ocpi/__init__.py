"""A payment terminal provider over OCPI: a process of its own that knows a CPO by the wire alone."""

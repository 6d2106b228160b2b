"""OCPI: the door of payment terminal providers that speak it; one file per module of the protocol."""

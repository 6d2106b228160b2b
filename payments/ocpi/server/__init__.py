"""Our OCPI endpoints: one file per module of the protocol, all on the transport of `transport.py`."""

"""The PTP conformance kit: it plays a payment terminal provider against any CPO backend and tells what it saw.

It knows OCPI by its text and the peer by the wire alone. It imports nothing of our own server, so that it
cannot share a misunderstanding with it.
"""

"""A charging station in code: OCPP 1.6J over a real WebSocket, well behaved unless told otherwise.

It knows nothing of the server's code or database, so that it can stand in for a charger of any make.
"""

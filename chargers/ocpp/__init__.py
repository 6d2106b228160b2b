"""The door for charging stations: OCPP over WebSocket. `idTag`, `connectorId` and the like end here."""

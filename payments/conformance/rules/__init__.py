"""What the text of OCPI demands of each object, field by field, for both versions."""

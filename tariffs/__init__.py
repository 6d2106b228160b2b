"""Tariffs: what a charging session costs, and the price a driver must see before it starts."""

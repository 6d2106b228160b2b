"""The staff's view of OCPI: connections to PTPs' platforms, their traffic, and what they must still be told."""

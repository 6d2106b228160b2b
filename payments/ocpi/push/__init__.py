"""What we tell PTPs' platforms over OCPI, and what we fetch from them."""

"""What the kit tells: on the console, as JSON, as one HTML page."""

"""The product in one process: what `manage.py up` puts together, each part in a module named after it."""

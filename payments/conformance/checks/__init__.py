"""The checks, a module for each group of the report. Each is one function that breaks with what it expected."""

"""The crash campaign: real SIGKILL of real processes at every named point, and what must hold afterwards."""

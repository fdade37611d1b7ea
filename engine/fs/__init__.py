"""File-system safety: whole files or none, locks, journals and temporary arrays."""

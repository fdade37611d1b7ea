"""File-system safety: atomic outputs, locks, journals of long runs, spools and checked files."""

"""The engine as a process of its own: environment, start, protocol and end."""

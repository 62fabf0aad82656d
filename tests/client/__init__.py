"""The client against the real handlers, in this process."""

"""The layer, module by module, without a socket."""

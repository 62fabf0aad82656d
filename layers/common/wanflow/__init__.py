"""Wanflow's logic: everything that its Lambda functions do, with clocks, randomness and clients injected."""

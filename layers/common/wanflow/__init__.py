"""Wanflow's logic: everything that its Lambda functions do, with clocks, randomness and clients injected."""

import gc

# Loading libraries makes many objects and no garbage: by default the collector goes through all of them again and
# again, which is a fifth of a cold start.
gc.set_threshold(50_000)

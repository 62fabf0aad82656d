"""Tests by level: unit (the layer), functions (handlers on moto), contract (client x mock), workflow (the ASL)."""

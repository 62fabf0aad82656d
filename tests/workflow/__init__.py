"""The workflow file itself, run by an interpreter of the States Language."""

"""What the gateway costs per request: `python -m bench`."""

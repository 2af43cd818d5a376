"""Devices: probes, profiles, features, memory, and a simulated device."""

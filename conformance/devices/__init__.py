"""What a device can do: probes, profiles, memory, and a simulated device."""

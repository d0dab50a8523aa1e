"""What is said: lines with classes and severities, where they go, and keys for Wireshark."""

"""Tests in a kernel that has all of IPsec: user-mode Linux, booted for each run (vm, vm-init)."""

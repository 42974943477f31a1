"""What several test files share: small real things to build on."""

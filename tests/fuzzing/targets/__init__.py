"""One module for each fuzzer."""

"""From a prompt to tokens: sampling, kept prefixes, and several answers in one batch."""

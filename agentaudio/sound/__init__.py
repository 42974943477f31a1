"""Sound: values, files, streams, sample rates, levels, mel spectrograms and voice activity."""

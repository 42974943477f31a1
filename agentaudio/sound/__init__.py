"""Sound in memory and on the move: files, streams, rates, mel spectrograms, speech or not."""

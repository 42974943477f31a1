"""What models by weights share: the queue of their generations, how tokens are chosen and read, where they run."""

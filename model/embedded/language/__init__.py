"""What the other rooms need to know of English: words, numbers, and the meaning of a sentence."""

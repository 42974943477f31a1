"""pocket: the embedded engine, an honest cascade (not a speech LLM) that needs no download and no GPU."""

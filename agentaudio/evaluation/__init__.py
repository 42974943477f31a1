"""Evaluation: how well models and agents do, by the tables of the papers and by suites of one's own."""

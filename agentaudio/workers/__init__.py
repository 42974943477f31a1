"""Child processes for work that may crash, hang or take all memory; above all, reading files made by strangers."""

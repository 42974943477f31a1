"""Piper: a synthesiser with voices of its own, in a process of its own because its licence is the GPL-3."""

"""Spoken agents: hear, call tools, retrieve text and a voice, answer in that voice."""

"""Speech tokens become sound in any voice: a flow-matching decoder, a vocoder, and the timbre prompt they speak in."""

"""Frames in, frames out: clips read one frame at a time, tracks as packed masks, the physics folder on disk."""

"""What the generator may change: a clip and its track go in, VACE control video and masks come out."""

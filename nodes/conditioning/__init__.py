"""What the generator may change: a clip and its track go in, VACE control video and masks come out.

And what comes of it: long clips window by window, kept pixels put back, and only what failed made anew.
"""

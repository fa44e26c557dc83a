"""Did the physics survive: a source track and a generated clip go in, per-frame measures and a verdict come out."""

"""Soft edges: takes a track and its clip, gives a trimap, an alpha refined where there is an edge, and its quality."""

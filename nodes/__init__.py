"""The engine, one folder per stage, and the nodes that bring it into ComfyUI."""

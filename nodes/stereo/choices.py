"""What can be chosen about stereo footage, and the defaults: nodes and commands list these without the engine."""

from __future__ import annotations

SIDE_BY_SIDE, TOP_BOTTOM, SEPARATE = "side by side", "top-bottom", "separate files"
ARRANGEMENTS = (SIDE_BY_SIDE, TOP_BOTTOM, SEPARATE)

HALF_EQUIRECTANGULAR, FISHEYE, FLAT = "half-equirectangular", "fisheye", "flat"
PROJECTIONS = (HALF_EQUIRECTANGULAR, FISHEYE, FLAT)

# How eyes are matched: blocks along rows, or flow in two dimensions.
BLOCKS, FLOW = "blocks", "flow"
METHODS = (BLOCKS, FLOW)

# What becomes of a frame whose eyes don't agree.
FLAG, REPROCESS = "flag", "reprocess"
ON_FAILURE = (FLAG, REPROCESS)
# S-IoU of an object's masks below which a frame fails.
THRESHOLD = 0.8

# Width in px of the picture worked in: 5.7 px a degree of VR180.
WORKING = 1024
# Metres: a usual distance between the lenses, and the nearest that anything is expected.
BASELINE, NEAREST = 0.064, 0.4

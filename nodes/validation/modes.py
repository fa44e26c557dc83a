"""The ways in which two clips can be compared in one video; apart from the code, which needs OpenCV."""

SIDE_BY_SIDE, WIPE, OVERLAY, DIFFERENCE = COMPARE_MODES = ("side by side", "wipe", "overlay", "difference")

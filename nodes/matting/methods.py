"""The choices of matting that a form lists without loading what does the work."""

# Those that need no weights, and those that need a model from `load_matte_model`.
PLAIN, LEARNED = ("guided", "closed form"), ("mematte", "vitmatte")
METHODS = (*PLAIN, *LEARNED)
DEFAULT_METHOD = "guided"

# What a trimap is made from; auto: logits where the track has them, else masks.
SOURCES = ("auto", "logits", "masks")

# What a matte is written as: numbered pictures of alpha, and videos (see `encodings`).
STILL_FORMATS = ("png8", "png16")
VIDEO_FORMATS = ("prores4444", "ffv1", "qtrle", "vp9", "grey-hevc", "grey-ffv1", "green-h264", "green-hevc")
FORMATS = (*STILL_FORMATS, *VIDEO_FORMATS)

# Of a matte of a whole clip: the share of its size that is worked at, how two eyes lie in it, in which projection, how
# they are kept consistent, and what is done where they are not.
SCALES = (0.25, 0.5, 1.0)
STEREO = ("none", "sbs", "tb", "files")
PROJECTIONS = ("hequirect", "fisheye", "flat")
INDEPENDENT, MASTER_SLAVE, JOINT = "independent", "master_slave", "joint"
MODES = (INDEPENDENT, MASTER_SLAVE, JOINT)
REPROCESS, FLAG = "reprocess", "flag"

"""The choices of matting that a form lists without loading what does the work."""

# Those that need no weights, and those that need a model from `load_matte_model`.
PLAIN, LEARNED = ("guided", "closed form"), ("mematte", "vitmatte")
METHODS = (*PLAIN, *LEARNED)
DEFAULT_METHOD = "guided"

# What a trimap is made from; auto: logits where the track has them, else masks.
SOURCES = ("auto", "logits", "masks")

# What a learned method computes in; auto: fp16 on a GPU, else fp32.
PRECISIONS = ("auto", "fp32", "fp16", "bf16")

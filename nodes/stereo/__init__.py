"""Two eyes, one matte: stereo footage is taken apart, what is known of one eye is carried to the other, and both are
checked against each other.

- `layouts`: `StereoClip` gives a `Clip` of each eye and both together with one decoding; `Layout` joins them again.
- `projections`: half-equirectangular, fisheye, flat and Cassini pictures; directions of pixels, resampling.
"""

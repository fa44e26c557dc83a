"""Two eyes, one matte: stereo footage is taken apart, what is known of one eye is carried to the other, and both are
checked against each other.

- `choices`: the words and defaults that nodes and commands offer.
- `layouts`: `StereoClip(clip, Layout(...))` gives a `Clip` of each eye, both together with one decoding (`pairs`), and
  joins eyes to frames again (`layout.join`).
- `projections`: half-equirectangular, fisheye, flat and Cassini pictures (`open_projection`); directions of pixels,
  resampling.
- `rig`: `Rig(projection, eye_size)` is what is known of the two lenses, and the Cassini picture that is worked in, at a
  size of its own.
- `alignment`: `align(rig, clip)` measures how the right lens is turned against the left one, for the rig.
- `disparity`: which pixels of both eyes show the same thing, checked both ways.
- `transfer`: `transfer(rig, left, right, masks)` carries the left eye's masks of one frame to the right eye; `layer` is
  the disparity of one object, `hidden` fills what only the right eye sees.
- `eyes`: `MasterSlave(rig, ...).frame(t, left, right, masks)` does that for a clip, checks every frame, and flags what
  fails or does it again; the right eye's own tracker may be asked on every k-th frame.
- `views`: `detect_in_views(detector, eye, projection)` finds people through flat views.
- `associate`: `associate(rig, left, right, in_left, in_right)` brings the detections of both eyes together, for the
  joint mode: the same people in the same order, before anything is tracked.
- `consistency`: `measure_agreement` of one frame and `AgreementReport` of a clip, without a truth; `check` takes
  a clip and two tracks.
"""

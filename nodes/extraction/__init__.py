"""Who and what moves: a clip goes in, detections, the person-object pair, tracks and relations come out."""

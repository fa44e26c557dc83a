"""What a person shows and approves: prompts drawn on frames of a clip in, checked prompts and approved tracks out."""

"""Model files: what each stage can use, where it is looked for, and how the command line fetches one by name."""

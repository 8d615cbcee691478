"""Sub-commands of `collcast`, one file each; heavy imports wait until the command runs."""

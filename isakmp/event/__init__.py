"""What comes later: the loop, timers, jobs whose answers come later, and workers."""

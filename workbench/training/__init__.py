"""The loop that trains, and what it needs: seeds, metrics, checkpoints, evaluation."""

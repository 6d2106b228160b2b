"""What the product costs, measured against what is possible on the same machine in the same run."""

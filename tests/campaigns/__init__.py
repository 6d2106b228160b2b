"""What the crash and the chaos campaign share: who says what really happened, and what must then hold of a payment."""

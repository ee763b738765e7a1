"""The program that follows a plan: how its text is written."""

"""The translations of the members' pages, and their collection from the code."""

"""The proof: what each folder holds is said in its own first line."""

"""Statistical secrecy applied to what is published: from the rows of a mart to rows with secret figures left empty."""

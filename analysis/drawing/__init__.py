"""Drawing: pictures of fabrics and scenarios; matplotlib is imported where it is used."""

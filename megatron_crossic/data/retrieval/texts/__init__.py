"""Documents -> passages and queries, encoded; and back from numbers to texts."""

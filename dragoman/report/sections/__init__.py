"""The sections of the report: each is one file with a `view` of the record, and one template of the same name."""

"""The dialects: wire structs, two translations each, and thin handlers. No rules. Dialects do not know each other."""

"""What `watchers.py` is made of: a server, crowds of clients, and each of the measures."""

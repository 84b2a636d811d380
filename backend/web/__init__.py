"""The windows: the dispatcher's live map and the recipient's page. Built from ``src`` into ``static``."""

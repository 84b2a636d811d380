"""The windows: the dispatcher's live map and the recipient's page. Built from ``src`` into ``static``.

Invariants: a page holds no secret and asks no other host, unless a map style is set; names and notes are text and never
markup, on the server by autoescaping and in the browser because there is no way in for HTML; what is shown comes from
the same wire that anybody may use.

Deliberately absent: a framework, a session, and rules about orders: the page shows what the server says.
"""

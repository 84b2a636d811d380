"""How the tables came to be, step by step; run by ``database.open``.

A change of ``tables`` needs a step here, and the test that compares the two says where one is missing. A step that was
released is never changed; ``0001`` is the first release's and changes with the tables until then.
"""

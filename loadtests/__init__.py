"""Load tests: simulated phones, map watchers, recipients and offices against a running server, by locust.

``locustfile.py`` is what locust is given; ``run.py`` is ``make load``: a server of its own, the steady mix, and an exit
code. The phones run ``simulator.day``; nothing here imports the backend. locust lives in an environment of its own
(``requirements.lock``), because it pins what the project does not.
"""

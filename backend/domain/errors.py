"""The one exception that a rule raises.

A refusal is a machine code and a human sentence. Each dialect maps the code to its own words and status in exactly one
place; whatever else is raised is a bug: logged with its trace, answered without detail.
"""


class Refusal(Exception):
    """Something asked for that cannot be done.

    ``code`` is stable (``ERR_…``), ``text`` says what was wrong and what was expected, ``where`` names the field or
    index it was found at.
    """

    def __init__(self, code: str, text: str, where: str | None = None) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.where = where

"""``codriver`` with little room, so that a few hundred phones are more than can be done."""

from backend.api import driver
from backend.cli import main
from backend.server import gate
from backend.store import journal

if __name__ == "__main__":
    gate.BURST = 0
    gate.REST_S = 0.05
    driver.AT_ONCE[b"/driver/v1/positions"] = 16
    journal.MANY = 32
    main()

"""``codriver`` that waits a minute and more for its geocoder and for watchers, which are a part of the test and may be
stopped with it."""

from backend.cli import main
from backend.live import hub
from backend.places import asking

if __name__ == "__main__":
    asking.PATIENCE_S = asking.CONNECT_S = 100.0
    defaults = asking.Asking.__init__.__kwdefaults__
    assert defaults is not None
    defaults["patience_s"] = asking.PATIENCE_S
    hub.STUCK_S = 1000.0
    main()

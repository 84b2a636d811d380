"""What holds for every method: keys, verbs, bodies."""

from tests.optimoroute.table import Case, Name, Step, get, office, post, refused

ONE = {"orders": [{"orderNo": "none"}]}

CASES = [
    Case(
        "A request without a key is refused.",
        ["general/errors/AUTH_KEY_MISSING"],
        post("get_orders", ONE, refused("AUTH_KEY_MISSING"), key=None),
        post("get_orders", ONE, refused("AUTH_KEY_MISSING"), key=""),
    ),
    Case(
        "A key that nobody was given is refused, and so is one that is not for the method.",
        ["general/errors/AUTH_KEY_UNKNOWN"],
        post("get_orders", ONE, refused("AUTH_KEY_UNKNOWN"), key="AUTH_KEY"),
        office("POST", "/api/keys", {"role": "viewer", "name": "wall"}, {"key": Name("viewer"), ...: ...}),
        post("get_orders", ONE, refused("AUTH_KEY_UNKNOWN"), key=Name("viewer")),
    ),
    Case(
        "A body that is no JSON object is a malformed request, and so is a wrong verb.",
        ["general/errors/MALFORMED_REQUEST"],
        post("get_orders", None, refused("MALFORMED_REQUEST"), content=b'{"orders": [],}'),
        post("get_orders", None, refused("MALFORMED_REQUEST"), content=b"orders"),
        post("get_orders", None, refused("MALFORMED_REQUEST"), content=b"[]"),
        get("delete_order", refused("MALFORMED_REQUEST"), orderNo="none"),
        post("get_routes", {}, refused("MALFORMED_REQUEST", routes=[])),
        Step("PUT", "/v1/get_orders", ONE, answer=refused("MALFORMED_REQUEST")),
    ),
    Case(
        "A mandatory field that is missing is named.",
        ["general/errors/ERR_MISSING_MAND_FIELD"],
        post("get_orders", {}, refused("ERR_MISSING_MAND_FIELD")),
        post("delete_order", {}, refused("ERR_MISSING_MAND_FIELD")),
        get("get_orders", refused("ERR_MISSING_MAND_FIELD")),
    ),
    Case(
        "A field in a wrong form is told from one that is missing.",
        ["general/errors/ERR_INVALID_PARAM_FORMAT"],
        post("get_orders", {"orders": "all"}, refused("ERR_INVALID_PARAM_FORMAT")),
        post("delete_order", {"orderNo": 5}, refused("ERR_INVALID_PARAM_FORMAT")),
        post("delete_all_orders", {"date": "14.10.2014"}, refused("ERR_INVALID_PARAM_FORMAT")),
    ),
]

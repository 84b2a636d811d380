"""A body for each method that takes one, for the OpenAPI document."""

from typing import Any

_DATE = "2026-03-02"
_PLACE = {"locationNo": "L1", "locationName": "Café Sunce", "address": "Ilica 40, Zagreb"}
_AT = {"latitude": 45.8131, "longitude": 15.969}
_NAMES = {"orders": [{"orderNo": "A1"}, {"id": "0195a3c8d2f07c4f9b1e6a7d8c3b2a10"}]}
_FIX = {"timestamp": 1772452800, **_AT, "accuracy": 8, "speed": 7.5, "heading": 350}
EXAMPLES: dict[str, dict[str, Any]] = {
    "create_order": {
        "operation": "CREATE",
        "orderNo": "A1",
        "date": _DATE,
        "type": "D",
        "duration": 5,
        "load1": 2,
        "timeWindows": [{"twFrom": "09:00", "twTo": "12:00"}],
        "location": {**_PLACE, **_AT},
        "notes": "Ring twice",
    },
    "create_or_update_orders": {
        "orders": [
            {"orderNo": "A1", "date": _DATE, "type": "D", "duration": 5, "load1": 2, "location": {**_PLACE, **_AT}},
            {"operation": "MERGE", "orderNo": "A2", "date": _DATE, "location": {"locationNo": "L1"}, "priority": "H"},
        ]
    },
    "get_orders": _NAMES,
    "delete_order": {"orderNo": "A1"},
    "delete_all_orders": {"date": _DATE},
    "delete_orders": {**_NAMES, "deleteMultiple": True},
    "search_orders": {
        "dateRange": {"from": _DATE, "to": "2026-03-08"},
        "orderStatus": ["failed", "rejected"],
        "includeOrderData": True,
        "includeScheduleInformation": True,
    },
    "start_planning": {"date": _DATE, "balancing": "ON", "useDrivers": [{"driverExternalId": "D1"}]},
    "stop_planning": {"planningId": 8828},
    "send_routes": {"date": _DATE},
    "update_driver_parameters": {"externalId": "D1", "date": _DATE, "workTimeFrom": "09:30", "workTimeTo": "18:00"},
    "update_drivers_parameters": {
        "updates": [
            {
                "driver": {"externalId": "D1"},
                "date": _DATE,
                "workTime": {"from": "08:15", "to": "16:15"},
                "assignedVehicle": {"registration": "ZG 1234 AB"},
                "startLocation": {"type": "custom", **_AT},
                "endLocation": {"type": "startLocation"},
            }
        ]
    },
    "update_drivers_positions": {"updates": [{"driver": {"serial": "001"}, "positions": [_FIX]}]},
    "get_completion_details": _NAMES,
    "update_completion_details": {
        "updates": [
            {
                "orderNo": "A1",
                "data": {
                    "status": "success",
                    "startTime": {"unixTimestamp": 1772452800},
                    "endTime": {"utcTime": "2026-03-02T12:04:30"},
                },
            }
        ]
    },
}

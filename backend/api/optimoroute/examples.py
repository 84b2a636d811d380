"""A body for each method that takes one, and an answer of each, for the OpenAPI document."""

from typing import Any

_DATE = "2026-03-02"
_ID = "0195a3c8d2f07c4f9b1e6a7d8c3b2a10"
_PLACE = {"locationNo": "L1", "locationName": "Café Sunce", "address": "Ilica 40, Zagreb"}
_AT = {"latitude": 45.8131, "longitude": 15.969}
_NAMES = {"orders": [{"orderNo": "A1"}, {"id": _ID}]}
_FIX = {"timestamp": 1772452800, **_AT, "accuracy": 8, "speed": 7.5, "heading": 350}
TAKEN: dict[str, dict[str, Any]] = {
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
"""What is sent, by method."""

_SAVED = {"success": True, "id": _ID, "orderNo": "A1"}
_NOT_FOUND = {
    "success": False,
    "code": "ERR_ORD_NOT_FOUND",
    "message": "The order with the matching orderNo or id was not found.",
    "orderNo": "A9",
}
_LOCATION = {**_PLACE, **_AT, "valid": True, "checkInTime": 0, "notes": ""}
# What is null in an example is left out of the OpenAPI document.
_ORDER = {
    "id": _ID,
    "orderNo": "A1",
    "relatedOrderNo": "A7",
    "relatedId": "0195a3c8d1aa7e109c4d52b3f0e6a811",
    "date": _DATE,
    "duration": 5,
    "priority": "M",
    "type": "D",
    "load1": 2,
    "load2": 0,
    "load3": 0,
    "load4": 0,
    "assignedTo": {"externalId": "D1", "serial": "001"},
    "location": _LOCATION,
    "timeWindows": [{"twFrom": "09:00", "twTo": "12:00"}],
    "allowedWeekdays": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
    "allowedDates": {},
    "allowedDateTimes": [],
    "skills": [],
    "vehicleFeatures": [],
    "notes": "Ring twice",
    "email": "",
    "phone": "",
    **{f"customField{number}": "" for number in range(1, 6)},
    "customFields": {},
    "notificationPreference": "both",
    "barcode": [],
}
_WHO = {
    "driverExternalId": "D1",
    "driverSerial": "001",
    "driverName": "Ana",
    "vehicleRegistration": "ZG 1234 AB",
    "vehicleLabel": "Van 1",
}
_WHEN = {
    "stopNumber": 1,
    "scheduledAt": "09:12",
    "scheduledAtDt": "2026-03-02 09:12:40",
    "arrivalTimeDt": "2026-03-02 09:12:40",
    "travelTime": 412,
    "distance": 3170,
}
_SCHEDULE = {**_WHO, **_WHEN, "liveEstimate": {"scheduledAt": "09:20", "scheduledAtDt": "2026-03-02 09:20:05"}}
_STOP = {**_WHEN, "orderNo": "A1", "id": _ID, **_PLACE, **_AT}
_ROUTE = {
    **_WHO,
    "duration": 37,
    "distance": 19.563,
    "load1": 2,
    "load2": 0,
    "load3": 0,
    "load4": 0,
    "stops": [_STOP],
    "routePolyline": "_p~iF~ps|U_ulLnnqC",
}
_NOON = {"unixTimestamp": 1772452800, "utcTime": "2026-03-02T12:00:00", "localTime": "2026-03-02T13:00:00"}
_LATER = {"unixTimestamp": 1772453070, "utcTime": "2026-03-02T12:04:30", "localTime": "2026-03-02T13:04:30"}
_COMPLETED = {
    "success": True,
    "orderNo": "A1",
    "data": {
        "status": "success",
        "startTime": _NOON,
        "startPosition": {"timestamp": 1772452800, **_AT, "accuracy": 8, "distanceToLocation": 12.5},
        "endTime": _LATER,
        "form": {
            "note": "left with the neighbour",
            "images": [{"type": "image/jpeg", "url": "https://drive.example.com/files/…"}],
        },
        "tracking_url": "https://drive.example.com/t/5sUPB4vYcFh9Xk2Q",
    },
}
_DRIVER = {"success": True, "driver": {"externalId": "D1"}}
TOLD: dict[str, dict[str, Any]] = {
    "create_order": {"success": True, "id": _ID, "location": _LOCATION},
    "create_or_update_orders": {"success": True, "orders": [_SAVED, _SAVED | {"orderNo": "A2"}]},
    "get_orders": {"success": True, "orders": [{"success": True, "id": _ID, "data": _ORDER}, _NOT_FOUND]},
    "delete_order": {"success": True},
    "delete_all_orders": {"success": True},
    "delete_orders": {"success": True, "orders": [{"success": True, "orderNo": "A1"}, _NOT_FOUND]},
    "search_orders": {
        "success": True,
        "orders": [{"id": _ID, "data": _ORDER, "scheduleInformation": _SCHEDULE}],
        "after_tag": "3q2-7w==",
    },
    "get_scheduling_info": {"success": True, "orderScheduled": True, "scheduleInformation": _SCHEDULE},
    "get_routes": {"success": True, "routes": [_ROUTE]},
    "start_planning": {"success": True, "planningId": 8828},
    "stop_planning": {"success": True},
    "get_planning_status": {"success": True, "status": "R", "percentageComplete": 42},
    "send_routes": {"success": True},
    "get_dispatch_status": {
        "success": True,
        "date": _DATE,
        "live": True,
        "routes": {"state": "sent", "sentAtUtc": "2026-03-02T06:40:12"},
        "notifications": {"state": "not_sent"},
        "routeChanges": {"added": 0, "modified": 1, "removed": 0},
    },
    "update_driver_parameters": {"success": True},
    "update_drivers_parameters": {"success": True, "updates": [_DRIVER | {"date": _DATE}]},
    "update_drivers_positions": {"success": True, "updates": [_DRIVER]},
    "get_events": {
        "success": True,
        "events": [
            {
                "event": "success",
                **_LATER,
                "driverName": "Ana",
                "driverSerial": "001",
                "driverExternalId": "D1",
                "orderNo": "A1",
                "orderId": _ID,
                "sequence": 17,
            }
        ],
        "tag": "dA8SuAAAAAAAAAAR",
        "remainingEvents": 0,
    },
    "get_completion_details": {"success": True, "orders": [_COMPLETED, _NOT_FOUND]},
    "update_completion_details": {"success": True, "updates": [_COMPLETED], "orders": [_COMPLETED]},
}
"""An answer, by method."""

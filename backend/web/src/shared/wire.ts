/** What the server sends to the pages. A field that is unknown is absent. Times are ISO 8601 in UTC, `…timestamp` is Unix seconds. */

export type OrderStatus = "unscheduled" | "scheduled" | "on_route" | "servicing" | "success" | "failed" | "rejected" | "cancelled";

export interface Position {
  timestamp: number;
  latitude: number;
  longitude: number;
  accuracy?: number;
  /** Metres a second. */
  speed?: number;
  /** Degrees clockwise from north. */
  heading?: number;
  battery?: number;
}

export interface LiveDriver {
  driverId: string;
  externalId?: string;
  serial?: string;
  name: string;
  onDuty: boolean;
  position: Position | null;
  routeId?: string;
  orderId?: string;
  status?: OrderStatus;
}

export interface LivePosition extends Position {
  driverId: string;
  externalId?: string;
  /** The driver left the box that was asked for; no more positions follow. */
  left?: boolean;
}

export interface FleetEvent {
  sequence?: number;
  event: string;
  unixTimestamp: number;
  utcTime?: string;
  localTime?: string;
  driverId?: string;
  driverName?: string;
  driverSerial?: string;
  driverExternalId?: string;
  orderId?: string;
  orderNo?: string;
  routeId?: string;
  status?: OrderStatus;
  outOfOrder?: boolean;
  position?: Position & { distanceToLocation?: number };
}

export type LiveFrame =
  | { type: "snapshot"; id: string; drivers: LiveDriver[]; now?: number; clockSpeed?: number }
  | { type: "positions"; id: string; drivers: LivePosition[] }
  | { type: "event"; id: string; event: FleetEvent }
  | { type: "plan"; id: string; date: string }
  | { type: "alive"; at: number }
  | { type: "drain"; retryInMs?: number }
  | { type: "error"; id?: string; code: string; message: string };

export interface Terminal {
  latitude: number;
  longitude: number;
  address?: string;
  time?: string;
}

export interface Stop {
  stopNumber: number;
  type: "order" | "break" | "depot";
  orderId?: string;
  orderNo?: string;
  locationName?: string;
  address?: string;
  latitude?: number;
  longitude?: number;
  arrivalTime?: string;
  scheduledAt?: string;
  departureTime?: string;
  eta?: string;
  /** Seconds and metres from the stop before. */
  travelTime?: number;
  distance?: number;
  /** Seconds of service. */
  duration?: number;
  timeWindows?: { from?: string; to?: string }[];
  status?: OrderStatus;
  startedAt?: string;
  finishedAt?: string;
  outOfOrder?: boolean;
}

export interface Route {
  id: string;
  date: string;
  driverId: string;
  externalId?: string;
  serial?: string;
  driverName: string;
  vehicle?: { registration?: string; label?: string };
  sent: boolean;
  version: number;
  onDuty?: boolean;
  started?: boolean;
  ended?: boolean;
  /** Metres and seconds of the whole route. */
  distance?: number;
  duration?: number;
  polyline?: string;
  start?: Terminal;
  end?: Terminal;
  stops: Stop[];
}

export interface Media {
  type?: string;
  url: string;
}

export interface Completion {
  status?: OrderStatus;
  startTime?: { unixTimestamp?: number; utcTime?: string; localTime?: string };
  endTime?: { unixTimestamp?: number; utcTime?: string; localTime?: string };
  form?: Proof & { barcode?: ScannedBarcode[]; barcode_collections?: ScannedBarcode[] };
  tracking_url?: string;
}

export interface ScannedBarcode {
  barcode?: string | null;
  scanInfo?: { status?: string; scanned?: string; type?: string; images?: Media[] };
}

export interface Proof {
  note?: string;
  signature?: Media;
  images?: Media[];
}

export interface OrderDetail {
  id: string;
  orderNo: string;
  date?: string;
  status: OrderStatus;
  locationName?: string;
  address?: string;
  latitude?: number;
  longitude?: number;
  driverId?: string;
  driverName?: string;
  stopNumber?: number;
  notes?: string;
  phone?: string;
  email?: string;
  trackingUrl?: string;
  completion?: Completion;
}

/** One order as its recipient may see it. */
export interface Tracking {
  status: OrderStatus;
  orderNo: string;
  companyName?: string;
  locationName?: string;
  address?: string;
  destination?: { latitude: number; longitude: number };
  window?: { from: string; to: string };
  eta?: string;
  timeZone: string;
  driver?: { firstName?: string; latitude?: number; longitude?: number; timestamp?: number; heading?: number };
  stopsBefore?: number;
  startedAt?: string;
  finishedAt?: string;
  proof?: Proof;
  now: string | number;
}

export type TrackingFrame = (Tracking & { type: "state" }) | { type: "alive"; at: number } | { type: "drain"; retryInMs?: number };

export type { BackoffOptions } from "./live/backoff.js";
export { createClient, RoomcastClient } from "./live/client.js";
export { CloseCode, type Reaction, reactionTo } from "./live/close-codes.js";
export {
    type ClientError,
    type ClientEvents,
    ClosedError,
    type CloseReason,
    type Delivery,
    type EventOf,
    type Handler,
    type Status,
    type StatusChange,
} from "./live/events.js";
export type { Transport } from "./live/link.js";
export type { ClientOptions } from "./live/options.js";
export type { Position } from "./live/position.js";
export {
    type Activity,
    type ActivityPayloads,
    type ActivityType,
    isActivity,
    type MessagePayload,
    type Named,
    type Refused,
    type ResumeGap,
    type Welcome,
} from "./live/protocol.js";
export type { Fetch } from "./live/sse.js";
export type { TransportOption } from "./live/transport.js";
export type { WebSocketConstructor, WebSocketLike } from "./live/websocket.js";
export {
    type CreateOptions,
    everyItem,
    type RequestOptions,
    RestClient,
    type RestOptions,
} from "./rest/client.js";
export { ApiError, ConnectionError } from "./rest/errors.js";
export type * from "./rest/types.js";
export { createSession, Session, type SessionOptions, type SignedIn } from "./session/session.js";
export type { KeyValueStorage } from "./storage.js";
export type { TokenRequest, TokenSource } from "./token.js";

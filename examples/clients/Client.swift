// A complete client for iOS 15, macOS 12 and later, with Foundation alone.

import Foundation

/// Everything up to `seq` was handled.
struct Position: Codable {
    var epoch: String
    var seq: Int64
}

struct Tokens: Codable {
    var accessToken: String
    var refreshToken: String
}

/// What your application keeps: the tokens in the keychain, the position in a file. Each save is whole or not at all.
protocol Store: AnyObject {
    var position: Position? { get set }
    var tokens: Tokens { get set }
}

struct SignedOut: Error {}

actor RoomcastClient {
    private struct Frame: Decodable {
        struct Payload: Decodable {
            var seq: Int64?
            var nextSeq: Int64?
            var reason: String?
            var epoch: String?
            var heartbeatSeconds: Double?
            var tokenExpiresAt: String?
        }

        var type: String
        var seq: Int64?
        var payload: Payload
    }

    private let base: URL
    private let store: Store
    /// What your application does with an activity, as JSON. It is given each one once, in order.
    private let handle: (_ type: String, _ json: Data) async -> Void
    /// What it does where some of them will not come: read the feed again, unless they have merely expired.
    private let handleGap: (_ reason: String, _ nextSeq: Int64) async -> Void
    private var position: Position?
    private var pause: Task<Void, Error>?

    init(
        base: URL,
        store: Store,
        handle: @escaping (String, Data) async -> Void,
        handleGap: @escaping (String, Int64) async -> Void
    ) {
        self.base = base
        self.store = store
        self.handle = handle
        self.handleGap = handleGap
        position = store.position
    }

    /// Ends a back-off: when the network is back, or the application comes to the foreground.
    func wake() {
        pause?.cancel()
    }

    /// Follows until the hub will not have this client any more; returns the close code. Cancel its task to stop.
    func run() async throws -> Int {
        var token: String? = store.tokens.accessToken
        var failures = 0
        while true {
            try Task.checkCancellation()
            let started = Date()
            var code = 1006
            do {
                let fresh: String
                if let token { fresh = token } else { fresh = try await refresh() }
                let (closed, welcomed) = await follow(token: fresh)
                code = closed
                // A connection that lasted starts the waits anew. One that ends at once again and again does not.
                if welcomed, Date().timeIntervalSince(started) > 5 { failures = 0 }
            } catch is SignedOut {
                throw SignedOut()
            } catch {
                // The refresh did not get through.
            }
            if code == 1009 || ((4400...4499).contains(code) && ![4401, 4408, 4429].contains(code)) { return code }
            token = code == 4401 ? nil : store.tokens.accessToken
            let isAtOnce = failures == 0 && [1001, 1012, 4401, 4408].contains(code)
            let longest = min(30, 0.5 * pow(2, Double(failures)))
            failures = min(failures + 1, 10)
            if !isAtOnce {
                let nanoseconds = UInt64(Double.random(in: 0...longest) * 1e9)
                let sleep = Task { try await Task.sleep(nanoseconds: nanoseconds) }
                pause = sleep
                try? await withTaskCancellationHandler { try await sleep.value } onCancel: { sleep.cancel() }
            }
        }
    }

    /// One connection, to its end: the close code, and whether the hub said WELCOME.
    private func follow(token: String) async -> (Int, Bool) {
        var address = URLComponents(url: base.appendingPathComponent("ws"), resolvingAgainstBaseURL: false)!
        address.scheme = base.scheme == "https" ? "wss" : "ws"
        if let position {
            address.queryItems = [
                URLQueryItem(name: "after", value: String(position.seq)),
                URLQueryItem(name: "epoch", value: position.epoch),
            ]
        }
        let session = URLSession(configuration: .ephemeral)
        let socket = session.webSocketTask(with: address.url!, protocols: ["roomcast.v1", "bearer.\(token)"])
        var welcome: Frame.Payload?
        var renewal: Task<Void, Never>?
        defer {
            renewal?.cancel()
            socket.cancel(with: .normalClosure, reason: nil)
            session.invalidateAndCancel()
        }
        socket.resume()
        while !Task.isCancelled {
            // A dead link says nothing. Two heartbeats without a frame are enough to know.
            let silence = welcome?.heartbeatSeconds.map { $0 * 2 + 2 } ?? 15
            let deadline = Task {
                try await Task.sleep(nanoseconds: UInt64(silence * 1e9))
                socket.cancel()
            }
            let message = try? await socket.receive()
            deadline.cancel()
            guard let message else {
                // Zero where there was no close frame.
                let code = socket.closeCode.rawValue
                return (code == 0 ? 1006 : code, welcome != nil)
            }
            guard case let .string(text) = message,
                  let frame = try? JSONDecoder().decode(Frame.self, from: Data(text.utf8)) else { continue }
            switch frame.type {
            case "WELCOME":
                welcome = frame.payload
                position = position ?? Position(epoch: frame.payload.epoch!, seq: frame.payload.seq!)
                renewal = renew(socket, expiresAt: frame.payload.tokenExpiresAt!)
            case "AUTH_OK":
                renewal?.cancel()
                renewal = renew(socket, expiresAt: frame.payload.tokenExpiresAt!)
            case "PONG":
                // Everything up to there was sent, though not all of it was for us.
                reach(frame.payload.seq!)
            case "RESUME_GAP":
                await handleGap(frame.payload.reason!, frame.payload.nextSeq!)
                keep(Position(epoch: welcome!.epoch!, seq: frame.payload.nextSeq! - 1))
            default:
                if let seq = frame.seq, seq > position!.seq {
                    await handle(frame.type, Data(text.utf8))
                    reach(seq)
                }
            }
        }
        return (1000, welcome != nil)
    }

    /// Puts a fresh token on the socket before the present one ends.
    private func renew(_ socket: URLSessionWebSocketTask, expiresAt: String) -> Task<Void, Never> {
        Task {
            let formatter = ISO8601DateFormatter()
            formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
            let left = formatter.date(from: expiresAt)?.timeIntervalSinceNow ?? 60
            do {
                try await Task.sleep(nanoseconds: UInt64(max(1, left - min(60, left / 3)) * 1e9))
                let frame = ["type": "AUTH", "payload": ["token": try await refresh()]] as [String: Any]
                let data = try JSONSerialization.data(withJSONObject: frame)
                try await socket.send(.string(String(decoding: data, as: UTF8.self)))
            } catch {
                // The socket lives on until its token ends with 4401. Then it is refreshed again.
            }
        }
    }

    /// A refresh token counts once: keep the next one before anything else.
    private func refresh() async throws -> String {
        var request = URLRequest(url: base.appendingPathComponent("api/v1/auth/refresh"))
        request.httpMethod = "POST"
        request.setValue("application/json", forHTTPHeaderField: "content-type")
        request.httpBody = try JSONEncoder().encode(["refreshToken": store.tokens.refreshToken])
        let (data, response) = try await URLSession.shared.data(for: request)
        switch (response as? HTTPURLResponse)?.statusCode {
        case 200:
            let tokens = try JSONDecoder().decode(Tokens.self, from: data)
            store.tokens = tokens
            return tokens.accessToken
        case 401:
            throw SignedOut()
        default:
            throw URLError(.badServerResponse)
        }
    }

    /// After the application took it, not before.
    private func reach(_ seq: Int64) {
        if var next = position, seq > next.seq {
            next.seq = seq
            keep(next)
        }
    }

    private func keep(_ next: Position) {
        position = next
        store.position = next
    }
}

// A complete client for Android or the JVM, with com.squareup.okhttp3:okhttp (4 or 5),
// org.jetbrains.kotlinx:kotlinx-coroutines-core and org.json (part of Android).

import java.time.Duration
import java.time.Instant
import kotlin.random.Random
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull
import okhttp3.MediaType.Companion.toMediaType
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody.Companion.toRequestBody
import okhttp3.Response
import okhttp3.WebSocket
import okhttp3.WebSocketListener
import org.json.JSONObject

/** Everything up to `seq` was handled. */
data class Position(val epoch: String, val seq: Long)

/** What your application keeps, in DataStore or a database. Each `save` is whole or not at all. */
interface Store {
    fun position(): Position?
    fun save(position: Position)
    fun accessToken(): String
    fun refreshToken(): String
    fun saveTokens(accessToken: String, refreshToken: String)
}

class SignedOut : Exception("The session has ended: sign in again")

class RoomcastClient(
    private val base: String,
    private val store: Store,
    /** What your application does with an activity. It is given each one once, in order. */
    private val handle: suspend (JSONObject) -> Unit,
    /** What it does where some of them will not come: read the feed again, unless they have merely expired. */
    private val handleGap: suspend (reason: String, nextSeq: Long) -> Unit,
) {
    private sealed interface Event {
        data class Frame(val json: JSONObject) : Event
        data class Closed(val code: Int) : Event
    }

    private val http = OkHttpClient()
    private var position = store.position()

    /** To be woken from a back-off: when the network is back, or the application comes to the foreground. */
    private val woken = Channel<Unit>(Channel.CONFLATED)

    fun wake() {
        woken.trySend(Unit)
    }

    /** Follows until the hub will not have this client any more; returns the close code. Cancel it to stop. */
    suspend fun run(): Int {
        var token: String? = store.accessToken()
        var failures = 0
        while (true) {
            val started = System.nanoTime()
            val code = try {
                val (closed, welcomed) = follow(token ?: refresh())
                // A connection that lasted starts the waits anew. One that ends at once again and again does not.
                if (welcomed && System.nanoTime() - started > 5_000_000_000) failures = 0
                closed
            } catch (error: java.io.IOException) {
                1006
            }
            if (code == 1009 || (code in 4400..4499 && code !in listOf(4401, 4408, 4429))) return code
            token = if (code == 4401) null else store.accessToken()
            val isAtOnce = failures == 0 && code in listOf(1001, 1012, 4401, 4408)
            val longest = minOf(30_000L, 500L shl failures)
            failures = minOf(failures + 1, 10)
            if (!isAtOnce) withTimeoutOrNull(Random.nextLong(longest + 1)) { woken.receive() }
        }
    }

    /** One connection, to its end: the close code, and whether the hub said WELCOME. */
    private suspend fun follow(token: String): Pair<Int, Boolean> = coroutineScope {
        // Unlimited, as the application takes the events at its own pace; the hub closes a socket that is too slow.
        val events = Channel<Event>(Channel.UNLIMITED)
        val query = position?.let { "?after=${it.seq}&epoch=${it.epoch}" } ?: ""
        val request = Request.Builder()
            .url("$base/ws$query")
            .header("Sec-WebSocket-Protocol", "roomcast.v1, bearer.$token")
            .build()
        val socket = http.newWebSocket(request, object : WebSocketListener() {
            override fun onMessage(webSocket: WebSocket, text: String) {
                events.trySend(Event.Frame(JSONObject(text)))
            }

            override fun onClosing(webSocket: WebSocket, code: Int, reason: String) {
                webSocket.close(1000, null)
                events.trySend(Event.Closed(code))
            }

            override fun onFailure(webSocket: WebSocket, t: Throwable, response: Response?) {
                events.trySend(Event.Closed(1006))
            }
        })
        var welcome: JSONObject? = null
        var renewal: Job? = null
        try {
            while (true) {
                // A dead link says nothing. Two heartbeats without a frame are enough to know.
                val silence = welcome?.let { it.getLong("heartbeatSeconds") * 2_000 + 2_000 } ?: 15_000
                val event = withTimeoutOrNull(silence) { events.receive() } ?: Event.Closed(1006)
                if (event is Event.Closed) return@coroutineScope event.code to (welcome != null)
                val frame = (event as Event.Frame).json
                val payload = frame.getJSONObject("payload")
                when (frame.getString("type")) {
                    "WELCOME" -> {
                        welcome = payload
                        position = position ?: Position(payload.getString("epoch"), payload.getLong("seq"))
                        renewal = renew(socket, payload.getString("tokenExpiresAt"))
                    }
                    "AUTH_OK" -> {
                        renewal?.cancel()
                        renewal = renew(socket, payload.getString("tokenExpiresAt"))
                    }
                    // Everything up to there was sent, though not all of it was for us.
                    "PONG" -> reach(payload.getLong("seq"))
                    "RESUME_GAP" -> {
                        handleGap(payload.getString("reason"), payload.getLong("nextSeq"))
                        val epoch = checkNotNull(welcome).getString("epoch")
                        keep(Position(epoch, payload.getLong("nextSeq") - 1))
                    }
                    else -> if (frame.has("seq") && frame.getLong("seq") > checkNotNull(position).seq) {
                        handle(frame)
                        reach(frame.getLong("seq"))
                    }
                }
            }
            @Suppress("UNREACHABLE_CODE")
            error("the loop ends by returning")
        } finally {
            renewal?.cancel()
            socket.cancel()
        }
    }

    /** Puts a fresh token on the socket before the present one ends. */
    private fun CoroutineScope.renew(socket: WebSocket, expiresAt: String): Job = launch {
        val left = Duration.between(Instant.now(), Instant.parse(expiresAt)).toMillis()
        delay(maxOf(1_000, left - minOf(60_000, left / 3)))
        try {
            val payload = JSONObject().put("token", refresh())
            socket.send(JSONObject().put("type", "AUTH").put("payload", payload).toString())
        } catch (error: java.io.IOException) {
            // The socket lives on until its token ends with 4401. Then it is refreshed again.
        } catch (error: SignedOut) {
            // As above: the refresh that follows 4401 says so again.
        }
    }

    /** A refresh token counts once: keep the next one before anything else. */
    private suspend fun refresh(): String = withContext(Dispatchers.IO) {
        val body = JSONObject().put("refreshToken", store.refreshToken()).toString()
        val request = Request.Builder()
            .url("$base/api/v1/auth/refresh")
            .post(body.toRequestBody("application/json".toMediaType()))
            .build()
        http.newCall(request).execute().use { response ->
            if (response.code == 401) throw SignedOut()
            if (!response.isSuccessful) throw java.io.IOException("The refresh failed with ${response.code}")
            val answer = JSONObject(checkNotNull(response.body).string())
            store.saveTokens(answer.getString("accessToken"), answer.getString("refreshToken"))
            answer.getString("accessToken")
        }
    }

    /** After the application took it, not before. */
    private fun reach(seq: Long) {
        val now = checkNotNull(position)
        if (seq > now.seq) keep(now.copy(seq = seq))
    }

    private fun keep(next: Position) {
        position = next
        store.save(next)
    }
}

//! The way into the namespace: who comes gets what it had, or is told why it may not come in, before CONNECT is answered.

use std::convert::Infallible;
use std::sync::{Arc, Weak};

use serde_json::value::RawValue;
use socketioxide::adapter::Adapter;
use socketioxide::extract::{Event, TryData};
use socketioxide::handler::{FromConnectParts, FromMessageParts};
use socketioxide::socket::DisconnectReason;
use socketioxide_core::Value;

use super::adapter::ClusterAdapter;
use super::admission::{Guest, Refusal};
use super::broadcasts::{style_room, user_room};
use super::handshake::Handshake;
use super::meter::Meter;
use super::socket::Socket;
use super::sockets::Sockets;
use super::{AckSender, IoSocket, SocketRef, takeover};
use crate::app::App;
use crate::contract::ErrorCode;
use crate::domain::PrivateId;
use crate::limits::ClientAddress;
use crate::session::Reset;
use crate::telemetry::causes;
use crate::transport::credential::Credential;
use crate::transport::tenure::Tenure;

/// Where clients come in.
#[derive(Clone)]
pub(super) struct Entrance {
    pub(super) app: App,
    pub(super) sockets: Sockets,
    pub(super) tenure: Tenure,
}

/// A client's stay in the namespace, or its attempt to get in.
#[derive(Clone)]
struct Visit {
    app: App,
    meter: Arc<Meter>,
    /// Which one it is of those over its connection.
    number: u32,
}

impl Visit {
    /// Ends the connection, unless the client comes once more: nobody stays for ever who is not in the namespace.
    /// socketioxide sees to that alone before the first visit, and not with clients of version 2, which are asked in.
    fn over(self) {
        let patience = self.app.config().connect_timeout;
        let (meter, number) = (Arc::downgrade(&self.meter), self.number);
        self.app.lifecycle().spawn_service(async move {
            tokio::time::sleep(patience).await;
            if let Some(meter) = meter.upgrade() {
                meter.close_unless_back(number);
            }
        });
    }
}

/// Lets a socket in for a visit; one that is not let in has its time for another one.
pub(super) async fn enter(
    entrance: Entrance,
    socket: SocketRef,
    weak: WeakSocket,
    auth: TryData<Option<Box<RawValue>>>,
) -> Result<(), String> {
    let app = entrance.app.clone();
    let meter = socket.req_parts().extensions.get::<Arc<Meter>>().cloned();
    let meter = meter.unwrap_or_default();
    let Some(number) = meter.enter().filter(|_| !app.lifecycle().is_draining()) else {
        return Err(turn_away(&meter));
    };
    let visit = Visit { app, meter, number };
    let admitted = admit(entrance, socket, weak, auth, &visit).await;
    if admitted.is_err() {
        visit.over();
    }
    admitted
}

/// Lets a socket in, or says why not: the client gets it as `connect_error`, and does not try again. So one that may
/// try again has its transport closed.
async fn admit(
    entrance: Entrance,
    socket: SocketRef,
    weak: WeakSocket,
    TryData(auth): TryData<Option<Box<RawValue>>>,
    visit: &Visit,
) -> Result<(), String> {
    let Entrance {
        app,
        sockets,
        tenure,
    } = entrance;
    let (auth, parts) = (auth.ok().flatten(), socket.req_parts());
    let shown = parts.extensions.get::<Credential>();
    let handshake = Handshake::read(auth.as_deref(), parts.uri.query(), shown)?;
    let meter = &visit.meter;
    let pid = handshake.pid.clone().unwrap_or_else(PrivateId::generate);
    let address = parts.extensions.get::<ClientAddress>().copied();
    let guest = match Guest::meet(&app, &handshake, &pid, address).await {
        Ok(guest) => guest,
        Err(Refusal::Now) => return Err(turn_away(meter)),
        Err(Refusal::Told(why)) => return Err(why),
    };
    let user = guest.caller.actor.clone();
    let user = guest.is_named.then_some(user);
    let state = Socket::connect(&app, &socket, weak.0, &handshake, guest, tenure);
    if !sockets.has_place_for(&state) {
        return Err(ErrorCode::RateLimited.as_str().to_owned());
    }
    if let Some(user) = user {
        socket.join(user_room(user.as_str()));
    }
    socket.join(style_room(state.session.style));
    register(&socket, &state, sockets.clone(), visit.clone());
    let resets = match &handshake.cursor {
        // Boxed, because it is large, and most connections do not need it.
        Some(cursor) => Box::pin(resume(&state, cursor, meter)).await?,
        None => Vec::new(),
    };
    let is_new = handshake.pid.is_none();
    let is_continued = handshake.cursor.is_some() && resets.is_empty();
    socket.extensions.insert(Admitted {
        socket: Arc::clone(&state),
        resets: resets.into(),
    });
    meter.let_in();
    // Another id than its own tells the client that its session has ended.
    state.give_pid(if is_continued || is_new {
        pid
    } else {
        pid.next()
    });
    if !sockets.insert(&state) {
        return Err(turn_away(meter));
    }
    if !is_new {
        takeover::announce(&app, state.client);
    }
    Ok(())
}

async fn resume(state: &Arc<Socket>, cursor: &str, meter: &Meter) -> Result<Vec<Reset>, String> {
    Socket::resume(state, cursor).await.map_err(|error| {
        tracing::debug!(
            error = %causes(&error),
            "a client cannot go on now"
        );
        turn_away(meter)
    })
}

/// Ends the transport before the client reads why, so that it tries again.
fn turn_away(meter: &Meter) -> String {
    meter.close();
    ErrorCode::Unavailable.as_str().to_owned()
}

/// Registers what is done with a socket's messages, and at its end.
fn register(socket: &SocketRef, state: &Arc<Socket>, sockets: Sockets, visit: Visit) {
    let for_message = Arc::new(Admission(Arc::clone(state)));
    // Everything happens before the returned future: that is what keeps the order.
    socket.on_fallback(
        move |Event(name): Event,
              asked: AckAsked,
              TryData(packet): TryData<Box<RawValue>>,
              ack: AckSender| {
            let ack = asked.0.then_some(ack);
            Socket::receive(&for_message.0, name, packet.ok(), ack);
            std::future::ready(())
        },
    );
    let state = Arc::clone(state);
    socket.on_disconnect(move |reason: DisconnectReason| {
        sockets.remove(&state);
        state.disconnected(reason);
        if matches!(
            reason,
            DisconnectReason::ClientNSDisconnect | DisconnectReason::ServerNSDisconnect
        ) {
            visit.clone().over();
        }
        std::future::ready(())
    });
}

/// A client that is to be welcomed once it is connected.
#[derive(Clone)]
pub(super) struct Admitted {
    pub(super) socket: Arc<Socket>,
    /// What it is told first.
    pub(super) resets: Arc<[Reset]>,
}

/// What is dropped with socketioxide's socket. A connection that breaks while it is made ends without a word to its
/// disconnect handler, and may have subscriptions already, which own what owns them.
struct Admission(Arc<Socket>);

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

/// A socket that is not kept alive. Its handlers own our state, so our state must not own it; and a
/// connection that breaks while it is made is dropped without a word to its disconnect handler.
pub(super) struct WeakSocket(Weak<IoSocket>);

impl FromConnectParts<ClusterAdapter> for WeakSocket {
    type Error = Infallible;

    fn from_connect_parts(socket: &Arc<IoSocket>, _: &Option<Value>) -> Result<Self, Infallible> {
        Ok(Self(Arc::downgrade(socket)))
    }
}

/// Whether the client waits for an ack.
struct AckAsked(bool);

impl<A: Adapter> FromMessageParts<A> for AckAsked {
    type Error = Infallible;

    fn from_message_parts(
        _: &Arc<socketioxide::socket::Socket<A>>,
        _: &mut Value,
        ack_id: &Option<i64>,
    ) -> Result<Self, Infallible> {
        Ok(Self(ack_id.is_some()))
    }
}

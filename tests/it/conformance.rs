//! What clients may rely on at every door: one set of properties, each of which runs on every door where it makes sense.
//!
//! A test is named after both, such as `conformance::removed_member_is_told_and_hears_nothing_more::websocket_flat`. A new
//! door is a new [`Door`](door::Door), a client that speaks its language, and its name in the rows of the table below.

mod client;
mod door;
mod flat;
mod long_poll;
mod message;
mod operator;
mod properties;
mod scene;
mod socket_io;
mod sse;
mod websocket;

/// The rows of the table: the module of a property, its name, and the doors on which it runs.
macro_rules! properties {
    ($($(#[$about:meta])* $group:ident::$property:ident: $($door:ident)+;)+) => {
        $($(#[$about])* mod $property {
            use crate::conformance::door::Door;
            use crate::conformance::properties::$group::$property as holds;

            $(properties!(@test $door);)+
        })+
    };
    (@test socket_io_websocket) => { properties!(@test socket_io_websocket, SocketIoWebSocket); };
    (@test socket_io_polling) => { properties!(@test socket_io_polling, SocketIoPolling); };
    (@test socket_io_upgrade) => { properties!(@test socket_io_upgrade, SocketIoUpgrade); };
    (@test websocket_flat) => { properties!(@test websocket_flat, WebSocketFlat); };
    (@test websocket_envelope) => { properties!(@test websocket_envelope, WebSocketEnvelope); };
    (@test sse) => { properties!(@test sse, Sse); };
    (@test long_poll) => { properties!(@test long_poll, LongPoll); };
    (@test $name:ident, $door:ident) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            holds(Door::$door).await;
        }
    };
}

properties! {
    missed::missed_events_come_once_in_order:
        socket_io_websocket socket_io_polling socket_io_upgrade websocket_flat websocket_envelope sse long_poll;

    // The envelope names one channel in a message; event streams and long polls subscribe with their request.
    subscribing::subscription_is_answered_before_its_events_come:
        socket_io_websocket socket_io_polling socket_io_upgrade websocket_flat;

    // A page of the log is not limited by REPLAY_LIMIT: a long poll gets all that is kept.
    resets::reset_is_told_before_a_cursor_covers_it:
        socket_io_websocket socket_io_polling socket_io_upgrade websocket_flat websocket_envelope sse;

    // A long poll has no types, and a cursor in each answer.
    filter::filtered_subscription_gets_a_cursor_now_and_then:
        socket_io_websocket socket_io_polling socket_io_upgrade websocket_flat websocket_envelope sse;

    // The next request of a long poll is refused as not_found; it is told nothing else.
    revocation::removed_member_is_told_and_hears_nothing_more:
        socket_io_websocket socket_io_polling socket_io_upgrade websocket_flat websocket_envelope sse long_poll;

    expiry::expired_token_ends_the_connection:
        socket_io_websocket socket_io_polling socket_io_upgrade websocket_flat websocket_envelope sse long_poll;

    // Over HTTP each request shows a token of its own.
    expiry::refreshed_token_keeps_the_connection:
        socket_io_websocket socket_io_polling socket_io_upgrade websocket_flat websocket_envelope;

    // A long poll is a request: it reads one channel's log, is in no room, and ends by itself.
    operations::notification_reaches_its_audience:
        socket_io_websocket socket_io_polling socket_io_upgrade websocket_flat websocket_envelope sse;
    operations::disconnected_user_is_gone_on_every_instance:
        socket_io_websocket socket_io_polling socket_io_upgrade websocket_flat websocket_envelope sse;
    operations::disconnected_project_is_empty_on_every_instance:
        socket_io_websocket socket_io_polling socket_io_upgrade websocket_flat websocket_envelope sse;

    // For a long poll nothing waits.
    slow_reader::slow_reader_is_ended_and_loses_nothing:
        socket_io_websocket socket_io_polling socket_io_upgrade websocket_flat websocket_envelope sse;
    // Each poll may be a connection of its own, and a server that has stopped listening takes none: `draining` has time for
    // them.
    drain::shutdown_answers_and_delivers_before_the_end:
        socket_io_websocket socket_io_upgrade websocket_flat websocket_envelope sse;

    // Who only listens sends no messages that could be too many.
    limits::rate_limited_message_is_counted_once:
        socket_io_websocket socket_io_polling socket_io_upgrade websocket_flat websocket_envelope;
    limits::commands_beyond_the_rate_are_held_back_and_none_is_lost:
        socket_io_websocket socket_io_polling socket_io_upgrade websocket_flat websocket_envelope;

    // A request over HTTP is refused before it is a connection; its line carries the request's id.
    logs::refused_request_is_logged_with_its_actor:
        socket_io_websocket socket_io_polling socket_io_upgrade websocket_flat websocket_envelope sse long_poll;
    // A request that was served leaves no line.
    logs::ended_connection_is_logged_with_its_actor:
        socket_io_websocket socket_io_polling socket_io_upgrade websocket_flat websocket_envelope sse;

    refusals::malformed_request_is_refused_with_code_and_field:
        socket_io_websocket socket_io_polling socket_io_upgrade websocket_flat websocket_envelope sse long_poll;
    names::star_as_a_project_is_refused:
        socket_io_websocket socket_io_polling socket_io_upgrade websocket_flat websocket_envelope sse long_poll;

    // Socket.IO ends its transport without a code; HTTP has none.
    close_codes::close_code_arrives_whatever_is_in_flight:
        websocket_flat websocket_envelope;
}

//! Where the answer to a packet goes.

use std::convert::Infallible;
use std::sync::Arc;

use socketioxide::adapter::Adapter;
use socketioxide::handler::FromMessageParts;
use socketioxide_core::Value;

use super::AckSender;

/// The ack that a client waits for.
pub(crate) struct Ack {
    pub(super) id: i64,
    pub(super) sender: AckSender,
}

/// The id of the ack, if the client waits for one.
pub(super) struct AckId(pub(super) Option<i64>);

impl<A: Adapter> FromMessageParts<A> for AckId {
    type Error = Infallible;

    fn from_message_parts(
        _: &Arc<socketioxide::socket::Socket<A>>,
        _: &mut Value,
        ack_id: &Option<i64>,
    ) -> Result<Self, Infallible> {
        Ok(Self(*ack_id))
    }
}

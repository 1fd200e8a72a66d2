//! A message on its way from socketioxide to the pump.

use std::mem;

use serde_json::value::RawValue;

use crate::limits::Exceeded;
use crate::transport::socketio::AckSender;
use crate::transport::socketio::packet_check::Malformed;

/// A message as it came in.
pub(in super::super) struct Incoming {
    pub(in super::super) name: String,
    pub(in super::super) packet: Option<Box<RawValue>>,
    /// What is wrong with it, if socketioxide could not have read it.
    pub(in super::super) malformed: Option<Malformed>,
    /// Where the answer goes; nothing if the client does not wait for one.
    pub(in super::super) ack: Option<AckSender>,
    /// Why it takes no effect. It waits with the others all the same: answers keep the order of the questions.
    pub(in super::super) refused: Option<Exceeded>,
}

impl Incoming {
    /// Takes a message; a stand-in gets the name of the event that it stands for.
    pub(super) fn new(name: String, packet: Option<Box<RawValue>>, ack: Option<AckSender>) -> Self {
        let mut malformed = Malformed::read(&name, packet.as_deref());
        let event = malformed
            .as_mut()
            .map(|malformed| mem::take(&mut malformed.event));
        Self {
            name: event.unwrap_or(name),
            packet,
            malformed,
            ack,
            refused: None,
        }
    }

    /// What it takes up.
    pub(super) fn bytes(&self) -> usize {
        self.name.len() + self.packet.as_ref().map_or(0, |packet| packet.get().len())
    }

    /// What its client has sent.
    pub(super) fn sent_bytes(&self) -> usize {
        let malformed = self.malformed.as_ref();
        malformed.map_or_else(|| self.bytes(), |malformed| malformed.bytes)
    }
}

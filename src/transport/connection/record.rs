//! Records what a client sends, for those who learn a frontend's words: what is refused, and everything if the server is
//! learning.

use super::Connection;
use super::door::Door;
use super::request_loop::{Asked, RequestLoop};
use crate::clock::Clock;
use crate::contract::{Arguments, Reply};
use crate::learn::{Message, Taken};

impl<D: Door> RequestLoop<D> {
    /// Records what a message is taken for, if the server is learning.
    pub(crate) fn record_taken(
        &self,
        asked: &Asked<D>,
        arguments: Arguments<'_>,
        taken: impl FnOnce() -> &'static str,
    ) {
        if self.connection.app().recorder().is_learning() {
            self.record(asked, arguments, Taken::For(taken()));
        }
    }

    /// Records that a message is not understood, and why.
    pub(crate) fn record_refused(
        &self,
        asked: &Asked<D>,
        arguments: Arguments<'_>,
        refusal: &Reply,
    ) {
        self.record(asked, arguments, Taken::Refused(refusal));
    }

    fn record(&self, asked: &Asked<D>, arguments: Arguments<'_>, taken: Taken<'_>) {
        let Some(program) = self.connection.door.program() else {
            return;
        };
        let message = Message {
            name: &asked.name,
            arguments,
            wants_ack: asked.ack.is_some(),
            client: program,
        };
        let recorder = self.connection.app().recorder();
        recorder.message(message, taken, Clock.now());
    }
}

impl<D: Door> Connection<D> {
    /// Records that a rule, such as one about rights, refuses what was understood.
    pub(crate) fn record_refused_later(&self, name: &str, reply: &Reply) {
        if reply.code().is_some_and(|code| !code.retryable()) {
            let recorder = self.app().recorder();
            recorder.refused_later(name, reply, Clock.now());
        }
    }
}

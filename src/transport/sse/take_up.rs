//! Takes up the subscriptions of a stream that begins.

use std::sync::Arc;

use super::listener::Listener;
use crate::contract::{Document, ErrorCode, Reply, Request, ServerWord, Subscribe};
use crate::domain::{ChannelName, Seq, Target};
use crate::hub::Subscriber;
use crate::session::{Outcome, Revoked, Session};

/// What a client is told in place of events that it does not get.
const RESET: ServerWord = ServerWord::Reset;
/// What a client is told of a channel that it may not hear any more.
pub(super) const REVOKED: ServerWord = ServerWord::AccessRevoked;

/// Something that a client is told before any event.
#[derive(Debug)]
pub(super) struct Notice {
    pub(super) name: ServerWord,
    /// Not rendered before it is told: the states of many clients may be more than fits into memory.
    pub(super) said: Document,
}

/// What is said of a channel that may not be heard any more, perhaps by an event of its log.
pub(super) fn said_of(channel: &ChannelName, seq: Option<Seq>) -> Document {
    let target = Target::from(channel.clone());
    let (_, mut said) = Session::revoked(&target, Revoked::Removed, seq);
    said.insert("channel", channel.as_str());
    said
}

impl Listener {
    /// Subscribes to all that is wished for, or says why not. Who was here before goes on with what it may still hear, and
    /// is told of the rest: a refusal would end all of it, for good.
    pub(super) async fn take_up(
        self: &Arc<Self>,
        wish: Subscribe,
        returns: bool,
    ) -> Result<Vec<Notice>, Reply> {
        let one_by_one = |refusal: &Reply| {
            let unseen = matches!(
                refusal.code(),
                Some(ErrorCode::NotFound | ErrorCode::Forbidden)
            );
            unseen && returns && wish.channels.len() > 1
        };
        let refusal = match self.subscribe(wish.clone()).await {
            Err(refusal) if one_by_one(&refusal) => refusal,
            done => return done,
        };
        let mut notices = Vec::new();
        let mut heard = 0;
        for channel in &wish.channels {
            let one = Subscribe {
                channels: vec![channel.clone()],
                ..wish.clone()
            };
            match self.subscribe(one).await {
                Ok(resets) => {
                    heard += 1;
                    notices.extend(resets);
                }
                Err(refusal) if one_by_one(&refusal) => notices.push(Notice {
                    name: REVOKED,
                    said: said_of(channel, None),
                }),
                Err(refusal) => return Err(refusal),
            }
        }
        if heard == 0 {
            return Err(refusal);
        }
        Ok(notices)
    }

    async fn subscribe(self: &Arc<Self>, wish: Subscribe) -> Result<Vec<Notice>, Reply> {
        let subscriber = Arc::clone(self) as Arc<dyn Subscriber>;
        let request = Request::Subscribe(wish);
        // Boxed, because it is large.
        let reply = match Box::pin(self.session.run(request, &subscriber)).await {
            Outcome::Done(reply) if reply.is_ok() => reply,
            Outcome::Done(refusal) => return Err(refusal),
            Outcome::Refreshed(_) | Outcome::Pending { .. } => {
                return Err(Reply::refused(ErrorCode::Internal, "no answer"));
            }
        };
        Ok(resets_in(&reply))
    }
}

/// The channels of an answer that do not go on where they were to.
fn resets_in(reply: &Reply) -> Vec<Notice> {
    let channels = reply.list("channels").iter();
    let resets = channels.filter(|channel| channel.get("reset").is_some());
    let notice = |said: &Document| Notice {
        name: RESET,
        said: said.clone(),
    };
    resets.map(notice).collect()
}

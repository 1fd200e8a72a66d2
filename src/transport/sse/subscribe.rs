//! Takes up the subscriptions of a stream that begins.

use std::sync::Arc;

use super::codec::SseDoor;
use super::params::Choice;
use crate::contract::{ErrorCode, JsonObject, Reply, Subscribe};
use crate::domain::{EventType, Target};
use crate::session::{RevokedReason, Session};
use crate::transport::connection::notice::Missed;
use crate::transport::connection::subscriber::SessionSubscriber;

impl SessionSubscriber<SseDoor> {
    /// Subscribes to what the client may hear of all that is asked for, and tells it of channels that it has named and may
    /// not hear: a refusal would end the stream of a browser for good. If it may hear none of those, says why not.
    pub(super) async fn subscribe_all(
        self: &Arc<Self>,
        wish: Subscribe,
        choice: Choice,
        returns: bool,
    ) -> Result<Vec<Missed>, Reply> {
        let is_default = choice == Choice::Server;
        let one_by_one = |refusal: &Reply| {
            let unseen = matches!(
                refusal.code(),
                Some(ErrorCode::NotFound | ErrorCode::Forbidden)
            );
            unseen && (is_default || wish.channels.len() > 1)
        };
        let reason = if returns {
            RevokedReason::Removed
        } else {
            RevokedReason::Forbidden
        };
        let refusal = match self.try_subscribe(wish.clone()).await {
            Err(refusal) if one_by_one(&refusal) => refusal,
            done => return done,
        };
        let mut missed = Vec::new();
        let mut heard = 0;
        for channel in &wish.channels {
            let one = Subscribe {
                channels: vec![channel.clone()],
                ..wish.clone()
            };
            match self.try_subscribe(one).await {
                Ok(resets) => {
                    heard += 1;
                    missed.extend(resets);
                }
                Err(refusal) if is_default && one_by_one(&refusal) => {}
                Err(refusal) if one_by_one(&refusal) => {
                    let target = Target::from(channel.clone());
                    let (event_type, said) = Session::revoked(&target, reason, None);
                    missed.push(Missed::Known(event_type, said));
                }
                Err(refusal) => return Err(refusal),
            }
        }
        if heard == 0 && !is_default {
            return Err(refusal);
        }
        Ok(missed)
    }

    async fn try_subscribe(self: &Arc<Self>, wish: Subscribe) -> Result<Vec<Missed>, Reply> {
        let reply = self.subscribe(wish).await;
        if reply.is_ok() {
            Ok(resets_in(&reply))
        } else {
            Err(reply)
        }
    }
}

/// The channels of an answer that do not go on where they were to.
fn resets_in(reply: &Reply) -> Vec<Missed> {
    let channels = reply.list("channels").iter();
    let resets = channels.filter(|channel| channel.get("reset").is_some());
    let reset = |said: &JsonObject| Missed::Known(EventType::known("channel.reset"), said.clone());
    resets.map(reset).collect()
}

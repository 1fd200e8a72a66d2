//! Takes up the subscriptions of a stream that begins.

use std::sync::Arc;

use super::codec::SseDoor;
use crate::contract::{ErrorCode, JsonObject, Reply, Subscribe};
use crate::domain::{EventType, Target};
use crate::session::{RevokedReason, Session};
use crate::transport::connection::notice::Missed;
use crate::transport::connection::subscriber::SessionSubscriber;

impl SessionSubscriber<SseDoor> {
    /// Subscribes to all that is asked for, or says why not. A client that was here before goes on with what it may still
    /// hear, and is told of the rest: a refusal would end all of it, for good.
    pub(super) async fn subscribe_all(
        self: &Arc<Self>,
        wish: Subscribe,
        returns: bool,
    ) -> Result<Vec<Missed>, Reply> {
        let one_by_one = |refusal: &Reply| {
            let unseen = matches!(
                refusal.code(),
                Some(ErrorCode::NotFound | ErrorCode::Forbidden)
            );
            unseen && returns && wish.channels.len() > 1
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
                Err(refusal) if one_by_one(&refusal) => {
                    let target = Target::from(channel.clone());
                    let (event_type, said) =
                        Session::revoked(&target, RevokedReason::Removed, None);
                    missed.push(Missed::Known(event_type, said));
                }
                Err(refusal) => return Err(refusal),
            }
        }
        if heard == 0 {
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

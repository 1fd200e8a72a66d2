//! Pages of channels' logs, for which requests wait: one at a time for each channel.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::task::JoinSet;

use super::client::Options;
use super::door::End;
use super::message::{Message, Said};
use crate::support::http;

/// See the module.
pub(super) struct LongPoll {
    address: String,
    who: String,
    /// Where each channel goes on.
    cursors: BTreeMap<String, String>,
    waiting: JoinSet<(String, u16, String)>,
    /// The channels for which a request waits.
    asked: Vec<String>,
    pub(super) end: End,
}

impl LongPoll {
    pub(super) async fn connect(address: &str, options: &Options) -> Self {
        let mut wire = Self {
            address: address.to_owned(),
            who: options.who(),
            cursors: BTreeMap::new(),
            waiting: JoinSet::new(),
            asked: Vec::new(),
            end: End::default(),
        };
        if let Some(cursor) = &options.cursor {
            wire.cursors = serde_json::from_str(cursor).expect("it was made below");
            return wire;
        }
        for channel in &options.channels {
            let mut cursor = "0".to_owned();
            loop {
                let path = wire.path(channel, &cursor, "limit=500");
                let (status, body) = http::get(address, &path).await;
                assert_eq!(status, 200, "{path}: {body}");
                let page: Value = serde_json::from_str(&body).expect(&body);
                page["cursor"].as_str().unwrap().clone_into(&mut cursor);
                if page["hasMore"] != true {
                    break;
                }
            }
            wire.cursors.insert(channel.clone(), cursor);
        }
        wire
    }

    fn path(&self, channel: &str, cursor: &str, more: &str) -> String {
        format!(
            "/api/channels/{channel}/events?since={cursor}&{more}{}",
            self.who
        )
    }

    /// The cursors of all channels, as one text.
    pub(super) fn cursor(&self) -> String {
        serde_json::to_string(&self.cursors).expect("it can be written")
    }

    /// The events of the next page; `None` once there is nothing left to ask for.
    pub(super) async fn receive(&mut self) -> Option<Vec<Message>> {
        for (channel, cursor) in &self.cursors {
            if self.asked.contains(channel) {
                continue;
            }
            self.asked.push(channel.clone());
            let (address, channel) = (self.address.clone(), channel.clone());
            let path = self.path(&channel, cursor, "limit=100&wait=15");
            self.waiting.spawn(async move {
                let (status, body) = http::get(&address, &path).await;
                (channel, status, body)
            });
        }
        let (channel, status, body) = self.waiting.join_next().await?.unwrap();
        self.asked.retain(|asked| *asked != channel);
        match status {
            200 => Some(self.page(&channel, &body)),
            // It may not be heard any more.
            404 => {
                self.cursors.remove(&channel);
                let mut problem: Value = serde_json::from_str(&body).expect(&body);
                problem["channel"] = channel.into();
                let revoked = Said::notice("access_revoked", &problem).expect("a notice");
                Some(vec![Message::new(revoked, Some(self.cursor()))])
            }
            status => {
                self.end.code = status;
                self.waiting.abort_all();
                None
            }
        }
    }

    fn page(&mut self, channel: &str, body: &str) -> Vec<Message> {
        let page: Value = serde_json::from_str(body).expect(body);
        let cursor = page["cursor"].as_str().unwrap().to_owned();
        self.cursors.insert(channel.to_owned(), cursor);
        let mut messages = Vec::new();
        if page["reset"] == true {
            let mut body = page.clone();
            body["channel"] = channel.into();
            messages.extend(Said::notice("reset", &body));
        }
        for event in page["events"].as_array().into_iter().flatten() {
            messages.extend(Said::logged(channel, event, &event["data"]));
        }
        let mut messages: Vec<_> = messages
            .into_iter()
            .map(|said| Message::new(said, None))
            .collect();
        if let Some(last) = messages.last_mut() {
            last.cursor = Some(self.cursor());
        }
        messages
    }
}

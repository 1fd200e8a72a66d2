//! Somebody who follows some projects and, when the connection is lost, comes back to whichever instance
//! answers, with the cursors that it saw last.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::support::chance::Chance;
use crate::support::client::{Client, Received};

/// How long the last events may take to arrive when all is well again.
const SETTLE: Duration = Duration::from_secs(30);
/// Pause before what was refused is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// How far each project's log reaches.
pub(super) type Heads = Arc<BTreeMap<String, usize>>;
/// All that is to be seen, once that is known.
pub(super) type Goal = watch::Receiver<Option<Heads>>;

/// What was seen of a project.
#[derive(Default)]
pub(super) struct Book {
    cursor: Option<String>,
    /// The event with seq 1 first.
    pub(super) seen: Vec<Seen>,
}

/// An event that arrived.
pub(super) struct Seen {
    pub(super) payload: String,
    pub(super) at: Instant,
}

/// See the module.
pub(super) struct Member {
    chance: Chance,
    addresses: Arc<[String]>,
    /// The instance that it is connected to, or was last.
    pub(super) instance: usize,
    client: Option<Client>,
    pub(super) books: BTreeMap<String, Book>,
    /// Connections that were lost.
    pub(super) lost: usize,
}

impl Member {
    /// Joins projects on an instance, from their beginning.
    pub(super) async fn join(
        chance: Chance,
        addresses: Arc<[String]>,
        instance: usize,
        projects: impl IntoIterator<Item = String>,
    ) -> Self {
        let books = projects.into_iter().map(|id| (id, Book::default()));
        let mut member = Self {
            chance,
            addresses,
            instance,
            client: None,
            books: books.collect(),
            lost: 0,
        };
        assert!(member.connect().await, "the instance serves");
        member
    }

    /// Follows until it has seen all that the log has, then makes sure that nothing comes twice.
    pub(super) async fn follow(mut self, mut goal: Goal) -> Self {
        let mut deadline: Option<Instant> = None;
        loop {
            let heads = goal.borrow_and_update().clone();
            if let Some(heads) = heads {
                if self.missing(&heads).is_none() {
                    break;
                }
                let deadline = *deadline.get_or_insert_with(|| Instant::now() + SETTLE);
                assert!(
                    Instant::now() < deadline,
                    "a member on instance {}: {:?}",
                    self.instance,
                    self.missing(&heads)
                );
            }
            self.read().await;
        }
        self.leave().await;
        self
    }

    /// The first project of which not everything was seen.
    fn missing(&self, heads: &BTreeMap<String, usize>) -> Option<String> {
        let mut books = self.books.iter();
        books.find_map(|(project, book)| {
            let (seen, head) = (book.seen.len(), heads[project]);
            (seen < head).then(|| format!("saw {seen} of {head} events of {project}"))
        })
    }

    /// Takes the next event, or comes back if the connection is lost.
    async fn read(&mut self) {
        let Some(client) = &self.client else {
            self.instance = self.chance.below(self.addresses.len());
            if !self.connect().await {
                tokio::time::sleep(RETRY).await;
            }
            return;
        };
        match client.try_next(Duration::from_millis(200)).await {
            Some(event) => self.take(&event),
            None if client.is_closed() => {
                self.client = None;
                self.lost += 1;
            }
            None => {}
        }
    }

    fn take(&mut self, event: &Received) {
        let project = event.args[0]["projectId"].as_str().expect("it is told");
        let book = self.books.get_mut(project).expect("it was joined");
        let expected = i64::try_from(book.seen.len()).unwrap() + 1;
        assert_eq!(
            event.seq(),
            expected,
            "a gap or a repeat in {project} on instance {}",
            self.instance
        );
        let cursor = event.args[1].as_str().expect("an event has a cursor");
        book.cursor = Some(cursor.to_owned());
        book.seen.push(Seen {
            payload: event.raw.clone(),
            at: Instant::now(),
        });
    }

    /// Connects and joins all projects where it left off. Whether that succeeded.
    async fn connect(&mut self) -> bool {
        let address = &self.addresses[self.instance];
        let Some(client) = Client::try_connect(address, &json!({})).await else {
            return false;
        };
        for (project, book) in &self.books {
            let since = book
                .cursor
                .as_ref()
                .map_or(json!(0), |cursor| json!(cursor));
            let join = json!({"projectId": project, "since": since});
            match client.try_call("join:project", join).await {
                Some(joined) if joined["ok"] == true => {
                    assert_eq!(joined["reset"], Value::Null, "{joined}");
                }
                Some(refused) => {
                    assert_eq!(refused["code"], "unavailable", "{refused}");
                    return false;
                }
                None => return false,
            }
        }
        self.client = Some(client);
        true
    }

    /// Leaves everything: after that nothing is on its way any more, and nothing may have come twice.
    async fn leave(&self) {
        let Some(client) = &self.client else {
            return;
        };
        for project in self.books.keys() {
            let left = client.call("leave:project", json!(project)).await;
            assert_eq!(left["ok"], true, "{left}");
        }
        let more = client.try_next(Duration::from_millis(1)).await;
        assert!(more.is_none(), "after the end of the log: {more:?}");
    }
}

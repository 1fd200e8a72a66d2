//! A cluster under traffic, and what must be true in the end: acked = in the log = delivered, once, in order.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::log::Log;
use super::member::{Goal, Heads, Member};
use super::publisher::{Acked, Publisher, Sent, Traffic};
use crate::support::chance::Chance;
use crate::support::client::Client;
use crate::support::cluster::Cluster;

const INSTANCES: usize = 3;
const PROJECTS: usize = 50;
/// Members of each instance.
const MEMBERS: usize = 8;
/// Subscribers that each project has on each instance.
const SUBSCRIBERS: usize = 2;
const PUBLISHERS: u64 = 30;

/// How much is sent.
pub(super) enum Load {
    /// So many commands, as fast as they are acked.
    Total(usize),
    /// About 150 a second until the end.
    Steady,
}

/// See the module.
pub(super) struct Run {
    pub(super) cluster: Cluster,
    pub(super) chance: Chance,
    traffic: Arc<Traffic>,
    publishers: Vec<JoinHandle<Sent>>,
    members: Vec<JoinHandle<Member>>,
    goal: watch::Sender<Option<Heads>>,
}

impl Run {
    /// Starts three instances, lets everyone join, and the traffic begin.
    pub(super) async fn start(load: Load) -> Self {
        let mut chance = Chance::from_seed();
        let cluster = Cluster::start(INSTANCES).await;
        let projects: Vec<_> = (0..PROJECTS).map(|number| format!("p{number}")).collect();
        create(&cluster, &projects).await;
        let (goal, reached) = watch::channel(None);
        let members = members(&cluster, &mut chance, &projects, &reached).await;
        let (budget, pause) = match load {
            Load::Total(total) => (total, Duration::ZERO),
            Load::Steady => (usize::MAX, Duration::from_millis(200)),
        };
        let traffic = Arc::new(Traffic {
            addresses: cluster.addresses(),
            projects,
            budget: AtomicUsize::new(budget),
            pause,
        });
        let publishers = (0..PUBLISHERS).map(|number| {
            let publisher = Publisher {
                number,
                chance: chance.fork(),
                instance: chance.below(INSTANCES),
                traffic: Arc::clone(&traffic),
            };
            tokio::spawn(publisher.publish())
        });
        Self {
            publishers: publishers.collect(),
            cluster,
            chance,
            traffic,
            members,
            goal,
        }
    }

    /// Lets the traffic flow for a while.
    pub(super) async fn flow(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    /// Ends the traffic and checks everything.
    pub(super) async fn finish(self) -> Outcome {
        self.traffic.stop();
        self.check().await
    }

    /// Waits until everything was sent, and checks everything.
    pub(super) async fn check(self) -> Outcome {
        let sent = join_all(self.publishers).await;
        let sent: Vec<_> = sent.into_iter().map(Result::unwrap).collect();
        let log = Log::read(&self.cluster.database_url).await;
        self.goal.send_replace(Some(Arc::new(log.heads())));
        let members = join_all(self.members).await;
        let members: Vec<_> = members.into_iter().map(Result::unwrap).collect();
        is_in_the_log(&log, &sent);
        was_delivered(&log, &members);
        let outcome = Outcome { sent, members };
        eprintln!("{}", outcome.summary(&log));
        outcome
    }
}

/// The projects' own events come first, so that their channels are there when cursors are given out.
async fn create(cluster: &Cluster, projects: &[String]) {
    let client = Client::connect(cluster.address(0)).await;
    for project in projects {
        let created = client.call("project:create", json!({"id": project})).await;
        assert_eq!(created["seq"], 1, "{created}");
    }
}

/// Spreads subscribers: of each project some on each instance, drawn from its members.
async fn members(
    cluster: &Cluster,
    chance: &mut Chance,
    projects: &[String],
    goal: &Goal,
) -> Vec<JoinHandle<Member>> {
    let mut members = Vec::new();
    for instance in 0..INSTANCES {
        let mut joining: Vec<Vec<String>> = vec![Vec::new(); MEMBERS];
        for project in projects {
            let first = chance.below(MEMBERS);
            let step = 1 + chance.below(MEMBERS - 1);
            for subscriber in 0..SUBSCRIBERS {
                joining[(first + subscriber * step) % MEMBERS].push(project.clone());
            }
        }
        for projects in joining {
            let addresses = cluster.addresses();
            let member = Member::join(chance.fork(), addresses, instance, projects).await;
            members.push(tokio::spawn(member.follow(goal.clone())));
        }
    }
    members
}

/// Every acked command is in the log once, at its seq; nothing else is there; and the commands of one sender
/// are in the order in which it sent them.
fn is_in_the_log(log: &Log, sent: &[Sent]) {
    let mut logged = HashMap::new();
    for (project, entries) in &log.0 {
        for (seq, entry) in (1..).zip(entries) {
            let Some(mark) = entry.json()["mark"].as_u64() else {
                assert_eq!((seq, &*entry.event_type), (1, "project.created"));
                continue;
            };
            let before = logged.insert(mark, (project.clone(), seq));
            assert!(before.is_none(), "{mark} has two effects: {before:?}");
        }
    }
    let mut acks = 0;
    for acked in sent.iter().flat_map(|sent| &sent.acked) {
        let expected = (acked.project.clone(), acked.seq);
        assert_eq!(logged.get(&acked.mark), Some(&expected), "{acked:?}");
        acks += 1;
    }
    assert_eq!(acks, logged.len(), "what is in the log was acked");
    for sent in sent {
        let mut last: HashMap<&str, i64> = HashMap::new();
        for acked in &sent.acked {
            let before = last.insert(&acked.project, acked.seq).unwrap_or(0);
            assert!(before < acked.seq, "after {before}: {acked:?}");
        }
    }
}

/// Every subscriber saw the log, byte by byte.
fn was_delivered(log: &Log, members: &[Member]) {
    let mut subscriptions = 0;
    for member in members {
        for (project, book) in &member.books {
            let entries = &log.0[project];
            assert_eq!(book.seen.len(), entries.len(), "of {project}");
            for (seen, entry) in book.seen.iter().zip(entries) {
                assert_eq!(seen.payload, entry.payload, "in {project}");
            }
            subscriptions += 1;
        }
    }
    assert_eq!(subscriptions, PROJECTS * INSTANCES * SUBSCRIBERS);
}

/// What happened.
pub(super) struct Outcome {
    pub(super) sent: Vec<Sent>,
    members: Vec<Member>,
}

impl Outcome {
    /// Answers `unavailable`.
    pub(super) fn refused(&self) -> usize {
        self.sent.iter().map(|sent| sent.refused).sum()
    }

    /// Connections that were lost, by members and by publishers in the middle of a command.
    pub(super) fn lost(&self) -> (usize, usize) {
        let members = self.members.iter().map(|member| member.lost).sum();
        (members, self.sent.iter().map(|sent| sent.lost).sum())
    }

    pub(super) fn acked(&self) -> impl Iterator<Item = &Acked> {
        self.sent.iter().flat_map(|sent| &sent.acked)
    }

    /// The longest time from an ack on one instance to an arrival on another, of what was acked in this time;
    /// and how many arrivals that were.
    pub(super) fn latest(&self, from: Instant, to: Instant) -> (Duration, usize) {
        let acked = self.acked().filter(|acked| (from..to).contains(&acked.at));
        let late: Vec<_> = acked.flat_map(|acked| self.delays(acked)).collect();
        (late.iter().max().copied().unwrap_or_default(), late.len())
    }

    /// How late one event was on the other instances.
    fn delays<'a>(&'a self, acked: &'a Acked) -> impl Iterator<Item = Duration> + 'a {
        let others = self.members.iter();
        let others = others.filter(|member| member.instance != acked.instance);
        let index = usize::try_from(acked.seq - 1).unwrap();
        others.filter_map(move |member| {
            let book = member.books.get(&acked.project)?;
            Some(book.seen[index].at.saturating_duration_since(acked.at))
        })
    }

    fn summary(&self, log: &Log) -> String {
        let mut delays: Vec<_> = self.acked().flat_map(|acked| self.delays(acked)).collect();
        delays.sort_unstable();
        let last = delays.len().saturating_sub(1);
        let at = |share: usize| delays.get(last * share / 100).copied().unwrap_or_default();
        let longest = self.acked().map(|acked| acked.took).max();
        let longest = longest.unwrap_or_default();
        format!(
            "{} events, {} refusals, {:?} lost by members and publishers; from one instance to another \
             50 % within {:?}, 99 % within {:?}, all within {:?}; longest until acked {longest:?}",
            log.len(),
            self.refused(),
            self.lost(),
            at(50),
            at(99),
            at(100),
        )
    }
}

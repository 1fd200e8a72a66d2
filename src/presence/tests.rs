//! Several instances in one process, with a network between them that loses and delays, and a clock that is told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::json;

use super::change::Change;
use super::entry::{Entry, Key};
use super::message::Message;
use super::state::{Limits, State};
use super::told;
use crate::domain::{Actor, ConnectionId, Fields, Id, InstanceId, ProjectId, Timestamp};
use crate::presence::instances::{BEAT, PATIENCE};

const NODES: usize = 3;
const GRACE: Duration = Duration::from_millis(1700);
/// Small, so that few users exceed them.
const LIMITS: Limits = Limits { shown: 3, page: 2 };

struct Node {
    state: State,
    /// Connections that are in a project.
    connected: BTreeMap<Key, usize>,
    /// What its subscribers make of what they are told.
    heard: BTreeMap<Key, Entry>,
    log: Vec<Change>,
    /// What is on its way here, by sender.
    inbox: Vec<VecDeque<Message>>,
    paused: bool,
    /// The broker is down for this instance.
    cut: bool,
}

struct World {
    nodes: Vec<Option<Node>>,
    start: Instant,
    now: Instant,
    made: u64,
}

#[derive(Debug, Clone)]
enum Step {
    Enter(usize, Key),
    Leave(usize, Key),
    Disconnect(usize, Key),
    Update(usize, Key, u8),
    Deliver(usize, usize, usize),
    Lose(usize, usize),
    Pause(usize),
    Cut(usize),
    /// Ends an instance at once, or starts a new one in its place.
    Kill(usize),
    /// Lets so many beats pass; whether messages arrive meanwhile.
    Wait(usize, bool),
}

fn key(project: u8, user: u8) -> Key {
    Key {
        project: ProjectId(Id::from_text(&format!("p{project}")).unwrap()),
        user: Actor::new(&format!("u{user}")),
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let node = || 0..NODES;
    let key = || (0..2_u8, 0..6_u8).prop_map(|(project, user)| key(project, user));
    let step = prop_oneof![
        8 => (node(), key()).prop_map(|(node, key)| Step::Enter(node, key)),
        3 => (node(), key()).prop_map(|(node, key)| Step::Leave(node, key)),
        3 => (node(), key()).prop_map(|(node, key)| Step::Disconnect(node, key)),
        4 => (node(), key(), 0..3_u8).prop_map(|(node, key, data)| Step::Update(node, key, data)),
        6 => (node(), node(), 1..9_usize).prop_map(|(to, from, many)| Step::Deliver(to, from, many)),
        3 => (node(), node()).prop_map(|(to, from)| Step::Lose(to, from)),
        1 => node().prop_map(Step::Pause),
        1 => node().prop_map(Step::Cut),
        1 => node().prop_map(Step::Kill),
        4 => (1..14_usize, prop::bool::weighted(0.7)).prop_map(|(beats, arrive)| Step::Wait(beats, arrive)),
    ];
    prop::collection::vec(step, 1..80)
}

impl World {
    fn new() -> Self {
        let start = Instant::now();
        let mut world = Self {
            nodes: (0..NODES).map(|_| None).collect(),
            start,
            now: start,
            made: 0,
        };
        (0..NODES).for_each(|node| world.boot(node));
        world
    }

    fn boot(&mut self, node: usize) {
        self.made += 1;
        let me = InstanceId::restore(format!("i{}", self.made));
        self.nodes[node] = Some(Node {
            state: State::new(me, GRACE, LIMITS),
            connected: BTreeMap::new(),
            heard: BTreeMap::new(),
            log: Vec::new(),
            inbox: vec![VecDeque::new(); NODES],
            paused: false,
            cut: false,
        });
    }

    /// Of three clocks one is ahead of the others.
    fn clock(&self, node: usize) -> Timestamp {
        let millis = (self.now - self.start).as_millis() + 40 * (node as u128 % 2);
        Timestamp::from_millis(i64::try_from(millis).unwrap())
    }

    fn running(&mut self, node: usize) -> Option<&mut Node> {
        self.nodes[node].as_mut().filter(|node| !node.paused)
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Enter(node, key) => self.enter(node, key),
            Step::Leave(node, key) => self.part(node, &key, true),
            Step::Disconnect(node, key) => self.part(node, &key, false),
            Step::Update(node, key, data) => self.update(node, &key, data),
            Step::Deliver(to, from, many) => (0..many).for_each(|_| self.deliver(to, from)),
            Step::Lose(to, from) => {
                if let Some(node) = &mut self.nodes[to] {
                    node.inbox[from].pop_front();
                }
            }
            Step::Pause(node) => {
                if let Some(node) = &mut self.nodes[node] {
                    node.paused = !node.paused;
                }
            }
            Step::Cut(node) => {
                if let Some(node) = &mut self.nodes[node] {
                    node.cut = !node.cut;
                }
            }
            Step::Kill(node) => match self.nodes[node].take() {
                Some(_) => self.drop_links(node),
                None => self.boot(node),
            },
            Step::Wait(beats, arrive) => self.wait(beats, arrive),
        }
    }

    fn enter(&mut self, node: usize, key: Key) {
        let at = self.clock(node);
        self.made += 1;
        let connection = connection(self.made);
        if let Some(node) = self.running(node) {
            node.state.enter(&key, connection, at, None);
            *node.connected.entry(key).or_default() += 1;
        }
        self.settle(node);
    }

    fn part(&mut self, node: usize, key: &Key, for_good: bool) {
        let now = self.now;
        if let Some(node) = self.running(node)
            && let Some(count) = node.connected.get_mut(key)
        {
            *count -= 1;
            if *count == 0 {
                node.connected.remove(key);
            }
            if for_good {
                node.state.leave(key, connection(0));
            } else {
                node.state.disconnect(key, now);
            }
        }
        self.settle(node);
    }

    fn update(&mut self, node: usize, key: &Key, data: u8) {
        let at = self.clock(node);
        if let Some(node) = self.running(node) {
            let data = Fields::from_iter([("n".to_owned(), json!(data))]);
            node.state.update(key, connection(0), &data, at);
        }
        self.settle(node);
    }

    fn deliver(&mut self, to: usize, from: usize) {
        let now = self.now;
        if let Some(node) = self.running(to)
            && let Some(message) = node.inbox[from].pop_front()
        {
            // What is said is understood as well.
            let json = serde_json::to_vec(&message).unwrap();
            node.state
                .receive(serde_json::from_slice(&json).unwrap(), now);
        }
        self.settle(to);
    }

    fn deliver_all(&mut self) {
        for _ in 0..10_000 {
            let links = (0..NODES).flat_map(|to| (0..NODES).map(move |from| (to, from)));
            let waiting: Vec<_> = links
                .filter(|&(to, from)| {
                    self.running(to)
                        .is_some_and(|node| !node.inbox[from].is_empty())
                })
                .collect();
            if waiting.is_empty() {
                return;
            }
            for (to, from) in waiting {
                self.deliver(to, from);
            }
        }
        panic!("the instances never stop talking");
    }

    /// What a call left behind goes to the subscribers and to the other instances.
    fn settle(&mut self, from: usize) {
        let Some(node) = &mut self.nodes[from] else {
            return;
        };
        for told in node.state.view.take_told() {
            node.log.push(told.change);
            let there = node.heard.contains_key(&told.key);
            assert_eq!(there, told.change != Change::Joined, "{told:?}");
            match told.change {
                Change::Left => node.heard.remove(&told.key),
                Change::Joined | Change::Updated => node.heard.insert(told.key, told.entry),
            };
            for project in 0..2 {
                let project = key(project, 0).project;
                let heard = node.heard.keys().filter(|key| key.project == project);
                assert!(heard.count() <= LIMITS.shown);
            }
        }
        let messages = node.state.take_messages();
        if node.cut {
            return;
        }
        let others = self
            .nodes
            .iter_mut()
            .enumerate()
            .filter(|(to, _)| *to != from);
        for node in others
            .filter_map(|(_, node)| node.as_mut())
            .filter(|node| !node.cut)
        {
            node.inbox[from].extend(messages.iter().cloned());
        }
    }

    /// What a dead instance had said is lost, now and then.
    fn drop_links(&mut self, from: usize) {
        for node in self.nodes.iter_mut().flatten() {
            node.inbox[from].clear();
        }
    }

    fn wait(&mut self, beats: usize, arrive: bool) {
        for _ in 0..beats {
            self.now += BEAT;
            let now = self.now;
            for index in 0..NODES {
                if let Some(node) = self.running(index) {
                    node.state.expire(now);
                    node.state.look(now, !node.cut);
                    node.state.beat(1);
                }
                self.settle(index);
            }
            if arrive {
                self.deliver_all();
            }
        }
    }

    /// All is well again, and stays so for a while.
    fn heal(&mut self) {
        for node in self.nodes.iter_mut().flatten() {
            node.paused = false;
            node.cut = false;
        }
        let time = PATIENCE + PATIENCE;
        self.wait(
            usize::try_from(time.as_millis() / BEAT.as_millis()).unwrap(),
            true,
        );
    }

    fn check(&mut self) {
        let alive: Vec<_> = self.nodes.iter_mut().flatten().collect();
        let keys = alive.iter().flat_map(|node| node.connected.keys().cloned());
        let present: BTreeSet<Key> = keys.collect();
        let mut first = None;
        let instances = alive.len();
        for node in alive {
            assert_eq!(node.state.members.cluster(1).instances, instances);
            let mut shown = BTreeMap::new();
            for project in 0..2 {
                let nobody = key(project, 99);
                let (people, count) = node.state.view.roster(&nobody);
                let there = present.iter().filter(|key| key.project == nobody.project);
                assert_eq!(count, there.count());
                assert_eq!(people.len(), count.min(LIMITS.shown));
                shown.extend(people.iter().map(|person| {
                    let person: Fields = serde_json::from_str(person.get()).unwrap();
                    let key = Key {
                        project: nobody.project.clone(),
                        user: Actor::new(person["userId"].as_str().unwrap()),
                    };
                    let entry = node.state.view.get(&key).unwrap();
                    assert_eq!(person, told::person(&key.user, &entry));
                    (key, entry)
                }));
            }
            assert!(shown.keys().all(|key| present.contains(key)));
            assert_eq!(node.heard, shown, "what was told adds up to the view");
            assert_eq!(
                *first.get_or_insert(shown.clone()),
                shown,
                "all see the same"
            );
        }
    }
}

fn connection(number: u64) -> ConnectionId {
    let text = format!("00000000-0000-0000-0000-{number:012}");
    serde_json::from_value(text.into()).unwrap()
}

proptest! {
    #[test]
    fn in_the_end_all_instances_see_who_is_there(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
        }
        world.heal();
        world.check();
    }
}

#[test]
fn who_moves_to_another_instance_was_never_away() {
    let (mut world, user) = (World::new(), key(0, 0));
    world.wait(1, true);
    world.take(Step::Enter(0, user.clone()));
    world.take(Step::Update(0, user.clone(), 7));
    world.deliver_all();
    world.take(Step::Disconnect(0, user.clone()));
    world.take(Step::Enter(1, user.clone()));
    world.wait(20, true);
    for node in world.nodes.iter().flatten() {
        assert_eq!(node.log, [Change::Joined, Change::Updated]);
        let data = node.heard[&user].data.as_deref();
        assert_eq!(super::entry::fields(data.unwrap())["n"], json!(7));
    }
}

#[test]
fn while_the_broker_is_down_nobody_is_taken_for_dead() {
    let mut world = World::new();
    world.wait(1, true);
    world.take(Step::Enter(0, key(0, 0)));
    world.deliver_all();
    (0..NODES).for_each(|node| world.take(Step::Cut(node)));
    world.wait(40, true);
    world.take(Step::Kill(0));
    (1..NODES).for_each(|node| world.take(Step::Cut(node)));
    world.wait(9, true);
    let node = |world: &World| world.nodes[1].as_ref().unwrap().log.clone();
    assert_eq!(node(&world), [Change::Joined]);
    world.wait(2, true);
    assert_eq!(node(&world), [Change::Joined, Change::Left]);
}

#[test]
fn of_many_users_only_the_first_come_and_go() {
    let mut world = World::new();
    world.wait(1, true);
    for user in (0..50).rev() {
        world.take(Step::Enter(0, key(0, user)));
    }
    world.wait(1, true);
    let log = |world: &World| world.nodes[1].as_ref().unwrap().log.clone();
    let before = log(&world).len();
    world.take(Step::Kill(0));
    world.wait(20, true);
    assert_eq!(log(&world)[before..], [Change::Left; LIMITS.shown]);
}

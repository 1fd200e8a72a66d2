//! Several instances around one Redis that executes one command after the other, with everything that may go wrong:
//! late comers, cut connections, marks that are lost, databases that do not answer, and deaths.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Instant;

use proptest::prelude::*;

use super::hearing::{Chunk, Fate, Hearing, PATIENCE, WAITING_MESSAGES};
use super::mark::{self, Mark, Word};
use crate::broker::envelope;
use crate::domain::InstanceId;

const INSTANCES: usize = 3;
const CHANNELS: usize = 2;
const ALL: Chunk = Chunk {
    messages: usize::MAX,
    bytes: usize::MAX,
};
const FEW: Chunk = Chunk {
    messages: 3,
    bytes: usize::MAX,
};

/// What Redis passes on.
#[derive(Debug, Clone)]
enum Passed {
    Mark(Mark, Word),
    Message(usize, u64),
}

/// One instance, and its connections to Redis.
struct Node {
    id: InstanceId,
    hearing: Hearing,
    /// What Redis has written to it and it has not read; without a connection `None`.
    incoming: Option<VecDeque<Passed>>,
    /// Marks on their way to Redis.
    outgoing: VecDeque<(Mark, Word)>,
}

impl Node {
    fn start() -> Self {
        let id = InstanceId::generate();
        Self {
            hearing: Hearing::new(id.clone(), CHANNELS),
            id,
            incoming: None,
            outgoing: VecDeque::new(),
        }
    }

    fn connect(&mut self) {
        if self.incoming.is_none() {
            self.incoming = Some(VecDeque::new());
            self.publish_mark();
        }
    }

    fn cut(&mut self) {
        if self.incoming.take().is_some() {
            self.hearing.disconnect();
        }
    }

    fn publish_mark(&mut self) {
        let text = self.hearing.make_mark();
        let sealed = envelope::seal(&self.id, text.as_bytes());
        self.outgoing.extend(mark::read(&sealed));
    }

    fn tick(&mut self) {
        if self.incoming.is_some() {
            self.hearing.tick();
            self.publish_mark();
        }
    }
}

/// Everything, and what must be true of it.
struct World {
    nodes: Vec<Node>,
    published: u64,
    database_is_there: bool,
    /// By channel, in the order of the commits.
    log: [Vec<u64>; CHANNELS],
    keys: HashSet<(usize, String)>,
    /// What every name was given to.
    names: HashMap<(usize, String), u64>,
    messages: HashMap<(usize, u64), String>,
}

impl World {
    fn new() -> Self {
        Self {
            nodes: (0..INSTANCES).map(|_| Node::start()).collect(),
            published: 0,
            database_is_there: true,
            log: Default::default(),
            keys: HashSet::new(),
            names: HashMap::new(),
            messages: HashMap::new(),
        }
    }

    fn execute(&mut self, passed: &Passed) {
        for incoming in self
            .nodes
            .iter_mut()
            .filter_map(|node| node.incoming.as_mut())
        {
            incoming.push_back(passed.clone());
        }
    }

    fn publish(&mut self, channel: usize) {
        self.published += 1;
        self.execute(&Passed::Message(channel, self.published));
    }

    fn execute_mark(&mut self, node: usize) {
        if let Some((mark, word)) = self.nodes[node].outgoing.pop_front() {
            self.execute(&Passed::Mark(mark, word));
        }
    }

    fn read(&mut self, node: usize, count: usize) {
        let node = &mut self.nodes[node];
        let Some(incoming) = &mut node.incoming else {
            return;
        };
        for passed in incoming.drain(..count.min(incoming.len())) {
            match passed {
                Passed::Mark(mark, word) => {
                    node.hearing.hear_mark(&mark, &word);
                }
                Passed::Message(channel, id) => {
                    let expected = if node.hearing.is_listening() {
                        Fate::Waits
                    } else {
                        Fate::Nameless
                    };
                    let message = id.to_string();
                    let fate = node.hearing.hear(
                        channel,
                        &channel.to_string(),
                        message.as_bytes(),
                        Instant::now(),
                    );
                    assert_eq!(fate, expected);
                }
            }
        }
    }

    /// Commits what comes next, or finds no database, or never learns that it has committed.
    fn commit(&mut self, node: usize, channel: usize, limit: Chunk, learns: bool) {
        let chunk = self.nodes[node].hearing.chunk(channel, limit);
        for heard in &chunk {
            let id = id_of(&heard.message);
            let key = (channel, heard.name());
            let named = *self.names.entry(key.clone()).or_insert(id);
            assert_eq!(named, id, "two messages share {key:?}");
            let name = self.messages.entry((channel, id));
            let name = name.or_insert_with(|| heard.name());
            assert_eq!(*name, heard.name(), "two names for message {id}");
            if self.database_is_there && self.keys.insert(key) {
                self.log[channel].push(id);
            }
        }
        if self.database_is_there && learns {
            self.nodes[node].hearing.settle(channel, chunk.len());
        }
    }

    /// What some instance that lives has heard since it heard a mark.
    fn owed(&self) -> BTreeSet<(usize, u64)> {
        let mut owed = BTreeSet::new();
        for node in &self.nodes {
            for (channel, message) in node.hearing.everything() {
                owed.insert((channel, id_of(&message)));
            }
        }
        owed
    }

    /// Everybody reads and commits everything.
    fn finish(&mut self) {
        self.database_is_there = true;
        for node in 0..INSTANCES {
            self.read(node, usize::MAX);
        }
        let owed = self.owed();
        for node in 0..INSTANCES {
            self.nodes[node].hearing.release();
            for channel in 0..CHANNELS {
                self.commit(node, channel, ALL, true);
            }
            assert_eq!(self.nodes[node].hearing.waiting(), 0);
        }
        for (channel, id) in owed {
            assert!(self.log[channel].contains(&id), "message {id} is lost");
        }
        for log in &self.log {
            let once: HashSet<_> = log.iter().collect();
            assert_eq!(
                once.len(),
                log.len(),
                "some message is there twice: {log:?}"
            );
        }
    }
}

fn id_of(message: &[u8]) -> u64 {
    std::str::from_utf8(message).unwrap().parse().unwrap()
}

/// One thing that happens to one instance, or to all.
#[derive(Debug, Clone)]
enum Step {
    Publish(usize),
    Connect(usize),
    Cut(usize),
    RestartRedis,
    Die(usize),
    Tick(usize),
    ExecuteMark(usize),
    LoseMark(usize),
    Read(usize, usize),
    Commit(usize, usize, bool),
    Database(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let node = 0..INSTANCES;
    let channel = 0..CHANNELS;
    prop_oneof![
        12 => channel.clone().prop_map(Step::Publish),
        4 => node.clone().prop_map(Step::Connect),
        1 => node.clone().prop_map(Step::Cut),
        1 => Just(Step::RestartRedis),
        1 => node.clone().prop_map(Step::Die),
        4 => node.clone().prop_map(Step::Tick),
        6 => node.clone().prop_map(Step::ExecuteMark),
        1 => node.clone().prop_map(Step::LoseMark),
        8 => (node.clone(), 1..6_usize).prop_map(|(node, count)| Step::Read(node, count)),
        8 => (node, channel, any::<bool>()).prop_map(|(n, c, learns)| Step::Commit(n, c, learns)),
        1 => any::<bool>().prop_map(Step::Database),
    ]
}

fn happen(world: &mut World, step: &Step) {
    match *step {
        Step::Publish(channel) => world.publish(channel),
        Step::Connect(node) => world.nodes[node].connect(),
        Step::Cut(node) => world.nodes[node].cut(),
        Step::RestartRedis => world.nodes.iter_mut().for_each(Node::cut),
        Step::Die(node) => world.nodes[node] = Node::start(),
        Step::Tick(node) => world.nodes[node].tick(),
        Step::ExecuteMark(node) => world.execute_mark(node),
        Step::LoseMark(node) => drop(world.nodes[node].outgoing.pop_front()),
        Step::Read(node, count) => world.read(node, count),
        Step::Commit(node, channel, learns) => world.commit(node, channel, FEW, learns),
        Step::Database(there) => world.database_is_there = there,
    }
}

/// What happens between one tick and the next.
#[derive(Debug, Clone)]
enum Incident {
    Nothing,
    /// Connections break, and are made anew a little later.
    Cut(usize),
    RestartRedis,
    Restart(usize),
    Database(bool),
}

/// The small things of one second, in their order, and what goes wrong in it.
type Second = (Vec<Step>, Incident);

fn second() -> impl Strategy<Value = Second> {
    let node = 0..INSTANCES;
    let small = prop_oneof![
        6 => (0..CHANNELS).prop_map(Step::Publish),
        3 => node.clone().prop_map(Step::ExecuteMark),
        4 => (node.clone(), 1..6_usize).prop_map(|(node, count)| Step::Read(node, count)),
        4 => (node.clone(), 0..CHANNELS, any::<bool>()).prop_map(|(n, c, learns)| Step::Commit(n, c, learns)),
    ];
    let incident = prop_oneof![
        6 => Just(Incident::Nothing),
        2 => node.clone().prop_map(Incident::Cut),
        1 => Just(Incident::RestartRedis),
        2 => node.prop_map(Incident::Restart),
        2 => any::<bool>().prop_map(Incident::Database),
    ];
    (prop::collection::vec(small, 0..40), incident)
}

/// A second in which everybody who lives gets to hear everything.
fn pass(world: &mut World, (steps, incident): &Second) {
    let half = steps.len() / 2;
    for step in &steps[..half] {
        happen(world, step);
    }
    match *incident {
        // Whoever was cut off twice within the hold, while all others were as well, may come too late.
        Incident::Cut(node) if world.nodes[node].hearing.is_free() => world.nodes[node].cut(),
        Incident::RestartRedis if world.nodes.iter().all(|node| node.hearing.is_free()) => {
            happen(world, &Step::RestartRedis);
        }
        Incident::Nothing | Incident::Cut(_) | Incident::RestartRedis => {}
        Incident::Restart(node) => happen(world, &Step::Die(node)),
        Incident::Database(there) => world.database_is_there = there,
    }
    for step in &steps[half..] {
        happen(world, step);
    }
    for node in 0..INSTANCES {
        world.nodes[node].connect();
        world.nodes[node].tick();
        while !world.nodes[node].outgoing.is_empty() {
            world.execute_mark(node);
        }
    }
    for node in 0..INSTANCES {
        world.read(node, usize::MAX);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_happens_a_message_has_one_name_and_is_logged_once(
        steps in prop::collection::vec(step(), 0..400)
    ) {
        let mut world = World::new();
        for step in &steps {
            happen(&mut world, step);
        }
        world.finish();
    }

    #[test]
    fn the_log_has_the_order_in_which_redis_was_told(
        seconds in prop::collection::vec(second(), 0..40)
    ) {
        let mut world = World::new();
        for second in &seconds {
            pass(&mut world, second);
        }
        world.database_is_there = true;
        // Nobody waits for ever.
        for _ in 0..20 {
            pass(&mut world, &(Vec::new(), Incident::Nothing));
            for node in 0..INSTANCES {
                for channel in 0..CHANNELS {
                    world.commit(node, channel, ALL, true);
                }
            }
        }
        assert!(world.nodes.iter().all(|node| node.hearing.is_free()));
        world.finish();
        for log in &world.log {
            assert!(log.is_sorted(), "{log:?}");
        }
    }
}

/// One instance that has heard its first mark.
fn alone() -> Node {
    let mut node = Node::start();
    node.connect();
    hears_its_marks(&mut node);
    node
}

fn hears_its_marks(node: &mut Node) {
    while let Some((mark, word)) = node.outgoing.pop_front() {
        node.hearing.hear_mark(&mark, &word);
    }
}

#[test]
fn whoever_is_alone_holds_what_it_hears_for_a_moment() {
    let mut node = alone();
    assert_eq!(node.hearing.hear(0, "0", b"a", Instant::now()), Fate::Waits);
    for _ in 1..PATIENCE {
        node.tick();
        hears_its_marks(&mut node);
        assert_eq!(node.hearing.chunk(0, ALL), []);
    }
    node.tick();
    assert_eq!(node.hearing.chunk(0, ALL).len(), 1);
}

#[test]
fn what_does_not_fit_is_dropped_and_the_names_of_others_stay() {
    let mut node = alone();
    node.hearing.release();
    let now = Instant::now();
    for _ in 0..WAITING_MESSAGES {
        assert_eq!(node.hearing.hear(0, "0", b"a", now), Fate::Waits);
    }
    assert_eq!(node.hearing.hear(0, "0", b"a", now), Fate::Dropped);
    assert_eq!(node.hearing.hear(1, "1", b"a", now), Fate::Waits);
    let first = node.hearing.chunk(0, FEW);
    node.hearing.settle(0, first.len());
    assert_eq!(node.hearing.hear(0, "0", b"a", now), Fate::Waits);
    let waiting = node.hearing.chunk(0, ALL);
    let number = |name: &str| name.rsplit_once(':').unwrap().1.parse::<usize>().unwrap();
    assert_eq!(
        number(&waiting[waiting.len() - 1].name()),
        WAITING_MESSAGES + 2
    );
    let large = vec![b'x'; super::hearing::WAITING_BYTES];
    assert_eq!(node.hearing.hear(1, "1", &large, now), Fate::Dropped);
}

#[test]
fn chunks_are_limited_and_come_again_until_they_are_settled() {
    let mut node = alone();
    node.hearing.release();
    for message in [&[b'x'; 600][..], &[b'x'; 600], &[b'x'; 2000], b""] {
        node.hearing.hear(0, "0", message, Instant::now());
    }
    let limit = Chunk {
        messages: 2,
        bytes: 1000,
    };
    let lengths = |node: &Node| {
        let chunk = node.hearing.chunk(0, limit);
        chunk
            .iter()
            .map(|heard| heard.message.len())
            .collect::<Vec<_>>()
    };
    assert_eq!(lengths(&node), [600]);
    assert_eq!(lengths(&node), [600]);
    node.hearing.settle(0, 2);
    assert_eq!(lengths(&node), [2000]);
    node.hearing.settle(0, 1);
    assert_eq!(lengths(&node), [0]);
}

//! Whose turn it is: jobs wait in a line for each actor, and the lines take turns. So a user who asks for much waits for
//! what they asked for, and nobody else does.
//!
//! Within a line the order is kept, and that is what a connection is promised: all that comes over it has one actor.

use std::collections::{HashMap, HashSet, VecDeque};

use super::job::Job;
use crate::domain::Actor;

/// What the lines are made of.
pub(super) trait Waiting {
    /// In whose line it waits.
    fn actor(&self) -> &Actor;
    /// The size of its packet.
    fn bytes(&self) -> usize;
    /// Whether it costs more than others, so that these go first.
    fn is_heavy(&self) -> bool;
}

impl Waiting for Job {
    fn actor(&self) -> &Actor {
        &self.caller.actor
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn is_heavy(&self) -> bool {
        self.work.needs_more()
    }
}

/// Jobs that wait.
#[derive(Debug)]
pub(super) struct FairQueue<J> {
    by_actor: HashMap<Actor, VecDeque<J>>,
    /// Those who have a line, by whose turn it is.
    turns: VecDeque<Actor>,
    len: usize,
    /// The number of heavy jobs that were taken last.
    heavy: usize,
    /// Whose heavy job was taken last and not done, nor any other heavy one: it goes first, or light ones could fill every
    /// batch.
    overdue: Option<Actor>,
}

impl<J: Waiting> FairQueue<J> {
    pub(super) fn new() -> Self {
        Self {
            by_actor: HashMap::new(),
            turns: VecDeque::new(),
            len: 0,
            heavy: 0,
            overdue: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts a job at the end of its line.
    pub(super) fn push(&mut self, job: J) {
        self.line(&job).push_back(job);
    }

    /// Puts jobs that were taken last and not done back to the beginning of their lines, whose turn comes first.
    pub(super) fn put_back(&mut self, jobs: Vec<J>) {
        let is_heavy_left = |job: &&J| job.is_heavy();
        let heavy_left = jobs.iter().filter(is_heavy_left).count();
        if heavy_left == self.heavy {
            let first = jobs.iter().find(is_heavy_left);
            self.overdue = first.map(|job| job.actor().clone());
        }
        let mut seen = HashSet::new();
        let actors = jobs.iter().map(|job| job.actor().clone());
        let first: Vec<_> = actors.filter(|actor| seen.insert(actor.clone())).collect();
        for job in jobs.into_iter().rev() {
            self.line(&job).push_front(job);
        }
        self.turns.retain(|actor| !seen.contains(actor));
        for actor in first.into_iter().rev() {
            self.turns.push_front(actor);
        }
    }

    fn line(&mut self, job: &J) -> &mut VecDeque<J> {
        self.len += 1;
        let actor = job.actor();
        if !self.by_actor.contains_key(actor) {
            self.turns.push_back(actor.clone());
        }
        self.by_actor.entry(actor.clone()).or_default()
    }

    /// Takes the next jobs, one of each line in turn: first those before which there is no heavy one in their line. A
    /// single job may have more bytes.
    pub(super) fn take(&mut self, max_jobs: usize, max_bytes: usize) -> Vec<J> {
        let mut taken = Taken {
            jobs: Vec::with_capacity(max_jobs.min(self.len)),
            bytes: 0,
            max_jobs,
            max_bytes,
        };
        if let Some(actor) = self.overdue.take() {
            self.take_first(&actor, &mut taken);
        }
        self.rounds(&mut taken, |job| !job.is_heavy());
        self.rounds(&mut taken, |_| true);
        self.heavy = taken.jobs.iter().filter(|job| job.is_heavy()).count();
        taken.jobs
    }

    /// Takes the first job of a line, whatever it is.
    fn take_first(&mut self, actor: &Actor, taken: &mut Taken<J>) {
        let Some(line) = self.by_actor.get_mut(actor) else {
            return;
        };
        if let Some(job) = line.pop_front() {
            taken.bytes += job.bytes();
            taken.jobs.push(job);
            self.len -= 1;
        }
        if line.is_empty() {
            self.by_actor.remove(actor);
            self.turns.retain(|other| other != actor);
        }
    }

    /// Goes round until nobody in turn has a job that may be taken.
    fn rounds(&mut self, taken: &mut Taken<J>, may_go: impl Fn(&J) -> bool) {
        let mut passed = 0;
        while passed < self.turns.len()
            && let Some(actor) = self.turns.pop_front()
        {
            let Some(line) = self.by_actor.get_mut(&actor) else {
                continue;
            };
            match line.pop_front_if(|job| may_go(job) && taken.has_room(job)) {
                Some(job) => {
                    taken.bytes += job.bytes();
                    taken.jobs.push(job);
                    self.len -= 1;
                    passed = 0;
                }
                None => passed += 1,
            }
            if line.is_empty() {
                self.by_actor.remove(&actor);
            } else {
                self.turns.push_back(actor);
            }
        }
    }
}

/// A batch that is being put together.
struct Taken<J> {
    jobs: Vec<J>,
    bytes: usize,
    max_jobs: usize,
    max_bytes: usize,
}

impl<J: Waiting> Taken<J> {
    fn has_room(&self, job: &J) -> bool {
        let fits = self.bytes.saturating_add(job.bytes()) <= self.max_bytes;
        self.jobs.len() < self.max_jobs && (fits || self.jobs.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Test(Actor, u32, bool);

    impl Waiting for Test {
        fn actor(&self) -> &Actor {
            &self.0
        }

        fn bytes(&self) -> usize {
            10
        }

        fn is_heavy(&self) -> bool {
            self.2
        }
    }

    fn jobs(of: &str, numbers: std::ops::Range<u32>, is_heavy: bool) -> Vec<Test> {
        let actor = Actor::new(of);
        numbers
            .map(|number| Test(actor.clone(), number, is_heavy))
            .collect()
    }

    fn shown(jobs: &[Test]) -> Vec<String> {
        jobs.iter()
            .map(|Test(actor, number, _)| format!("{}{number}", actor.as_str()))
            .collect()
    }

    #[test]
    fn lines_of_different_length_take_turns_in_order() {
        let mut lines = FairQueue::new();
        for job in [jobs("a", 0..4, false), jobs("b", 0..1, false)]
            .into_iter()
            .flatten()
        {
            lines.push(job);
        }
        assert_eq!(shown(&lines.take(3, 1000)), ["a0", "b0", "a1"]);
        lines.push(Test(Actor::new("b"), 1, false));
        assert_eq!(shown(&lines.take(9, 1000)), ["a2", "b1", "a3"]);
        assert_eq!(lines.len(), 0);
        assert!(lines.take(9, 1000).is_empty());
    }

    #[test]
    fn a_batch_has_a_limit_in_bytes_and_at_least_one_job() {
        let mut lines = FairQueue::new();
        for job in jobs("a", 0..4, false) {
            lines.push(job);
        }
        assert_eq!(shown(&lines.take(9, 1)), ["a0"]);
        assert_eq!(shown(&lines.take(9, 25)), ["a1", "a2"]);
        assert_eq!(lines.len(), 1);
    }

    #[test]
    fn a_heavy_job_lets_all_others_go_first_and_keeps_its_line_in_order() {
        let mut lines = FairQueue::new();
        let a = [
            jobs("a", 0..1, false),
            jobs("a", 1..3, true),
            jobs("a", 3..4, false),
        ];
        for job in a.into_iter().chain([jobs("b", 0..2, false)]).flatten() {
            lines.push(job);
        }
        assert_eq!(shown(&lines.take(5, 1000)), ["a0", "b0", "b1", "a1", "a2"]);
        assert_eq!(shown(&lines.take(5, 1000)), ["a3"]);
    }

    fn filled(jobs: impl IntoIterator<Item = Vec<Test>>) -> FairQueue<Test> {
        let mut lines = FairQueue::new();
        for job in jobs.into_iter().flatten() {
            lines.push(job);
        }
        lines
    }

    #[test]
    fn jobs_that_are_put_back_come_first_again() {
        let mut lines = filled([jobs("a", 0..3, false), jobs("b", 0..3, false)]);
        let mut taken = lines.take(4, 1000);
        lines.push(Test(Actor::new("c"), 0, false));
        let rest = taken.split_off(1);
        lines.put_back(rest);
        assert_eq!(lines.len(), 6);
        let order = shown(&lines.take(9, 1000));
        assert_eq!(order, ["b0", "a1", "c0", "b1", "a2", "b2"]);
    }

    /// Eight users fill every transaction, and the ninth has a single job, which no transaction had room for.
    #[test]
    fn a_user_with_one_job_is_served_although_others_fill_every_batch() {
        const FULL: usize = 8;
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let mut lines = filled(names.map(|name| jobs(name, 0..50, false)));
        lines.push(Test(Actor::new("v"), 0, false));
        for batch in 0.. {
            let mut taken = lines.take(100, 10_000);
            let left = taken.split_off(FULL.min(taken.len()));
            lines.put_back(left);
            if shown(&taken).contains(&"v0".to_owned()) {
                break;
            }
            assert!(batch < 2, "{taken:?}");
        }
    }

    #[test]
    fn a_heavy_job_is_served_although_light_ones_fill_every_batch() {
        const FULL: usize = 2;
        let mut lines = filled([jobs("a", 0..50, false), jobs("v", 0..4, true)]);
        let mut done = Vec::new();
        for _ in 0..8 {
            let mut taken = lines.take(100, 10_000);
            let left = taken.split_off(FULL);
            lines.put_back(left);
            done.extend(shown(&taken));
        }
        let served = |of: &str| done.iter().filter(|job| job.starts_with(of)).count();
        assert_eq!((served("v"), served("a")), (4, 12), "{done:?}");
    }
}

//! A connection's commands that are on their way through the writer: how many, and how much memory they take up.
//!
//! Each counts until its answer has been sent, because the answer of a client that does not read waits here.

use crate::memory::{Held, MemoryBudget};

/// Commands of one connection that may be on their way at once.
const MAX_COMMANDS: usize = 512;
/// Bytes of them before the last one; fewer if little is left of the memory for all connections.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// See the module.
#[derive(Debug)]
pub(crate) struct InFlightBytes {
    held: Held,
    commands: usize,
}

impl InFlightBytes {
    pub(crate) fn new(memory: &MemoryBudget) -> Self {
        Self {
            held: memory.holder(),
            commands: 0,
        }
    }

    /// Whether no more is to be taken before an answer has been sent.
    pub(crate) fn is_full(&self) -> bool {
        let max = MAX_BYTES.min(self.held.budget().fair_share());
        self.commands >= MAX_COMMANDS || (self.commands > 0 && self.held.bytes() >= max)
    }

    /// A command of so many bytes is on its way.
    pub(crate) fn begin(&mut self, bytes: usize) {
        self.commands += 1;
        self.held.add(bytes);
    }

    /// The answer to a command has been sent.
    pub(crate) fn end(&mut self, bytes: usize) {
        self.commands = self.commands.saturating_sub(1);
        self.held.give_back(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_commands_fill_it_before_many_do() {
        let memory = MemoryBudget::new(usize::MAX, usize::MAX);
        let mut flying = InFlightBytes::new(&memory);
        flying.begin(2 * MAX_BYTES);
        assert!(flying.is_full());
        flying.end(2 * MAX_BYTES);
        assert!(!flying.is_full());
        let many = (0..).take_while(|_| {
            flying.begin(100);
            !flying.is_full()
        });
        assert_eq!(many.count() + 1, MAX_COMMANDS);
        drop(flying);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn one_command_is_always_taken() {
        let memory = MemoryBudget::new(0, usize::MAX);
        let mut flying = InFlightBytes::new(&memory);
        assert!(!flying.is_full());
        flying.begin(MAX_BYTES);
        assert!(flying.is_full());
    }
}

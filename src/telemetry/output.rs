//! Standard output, written by a thread of its own: whoever logs never waits for the program that reads the log.
//!
//! Lines wait in a buffer of [`CAPACITY`] bytes. What does not fit, because nobody reads, is dropped and counted; once the
//! reader goes on, the log says how much is missing.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Bytes that may wait. As many again may be on their way to the reader.
const CAPACITY: usize = 1024 * 1024;
/// Bytes that an idle buffer keeps.
const IDLE_CAPACITY: usize = 64 * 1024;
/// How often at most the log says how many lines are missing.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// Pause before a pipe that is full and does not block is tried again.
const FULL_PAUSE: Duration = Duration::from_millis(10);

/// The lines on their way to a reader. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Output(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Guards the lines that wait. Held while a line is copied, never while one is written.
    waiting: Mutex<Waiting>,
    /// There is something to write.
    filled: Condvar,
    /// Everything is written.
    emptied: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    is_writing: bool,
}

impl Output {
    /// Starts the thread that writes to `sink`.
    pub(super) fn start(sink: impl Write + Send + 'static) -> io::Result<Self> {
        let output = Self::default();
        let writer = Writer {
            output: output.clone(),
            sink,
            told: 0,
            told_at: None,
        };
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || writer.run())?;
        Ok(output)
    }

    /// Takes a line, or drops it if there is no room.
    pub(super) fn line(&self, line: &[u8]) {
        let mut waiting = self.0.waiting.lock();
        if waiting.lines.len() + line.len() > CAPACITY {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.lines.extend_from_slice(line);
        drop(waiting);
        self.0.filled.notify_one();
    }

    /// Lines that were dropped since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Waits until everything is written, but no longer than `patience`. Whether everything is.
    pub(super) fn flush(&self, patience: Duration) -> bool {
        let is_busy = |waiting: &mut Waiting| waiting.is_writing || !waiting.lines.is_empty();
        let mut waiting = self.0.waiting.lock();
        let emptied = &self.0.emptied;
        emptied.wait_while_for(&mut waiting, is_busy, patience);
        !is_busy(&mut waiting)
    }
}

/// What the thread does.
struct Writer<W> {
    output: Output,
    sink: W,
    /// Dropped lines that the log tells of, and since when.
    told: u64,
    told_at: Option<Instant>,
}

impl<W: Write> Writer<W> {
    fn run(mut self) {
        let mut lines = Vec::new();
        loop {
            self.next(&mut lines);
            if let Err(unwritten) = self.write(&lines) {
                let missing = unwritten.split(|&byte| byte == b'\n').count() - 1;
                let dropped = &self.output.0.dropped;
                dropped.fetch_add(missing as u64, Ordering::Relaxed);
            }
            lines.clear();
            lines.shrink_to(IDLE_CAPACITY);
            self.tell();
        }
    }

    /// Waits for lines; at the latest until the log is to say how many are missing.
    fn next(&self, lines: &mut Vec<u8>) {
        let mut waiting = self.output.0.waiting.lock();
        waiting.is_writing = false;
        if waiting.lines.is_empty() {
            self.output.0.emptied.notify_all();
        }
        while waiting.lines.is_empty() {
            let filled = &self.output.0.filled;
            if self.output.dropped() == self.told {
                filled.wait(&mut waiting);
            } else {
                filled.wait_for(&mut waiting, TELL_EVERY);
                break;
            }
        }
        std::mem::swap(&mut waiting.lines, lines);
        waiting.is_writing = true;
    }

    /// Writes all of it; gives back what could not be written.
    fn write<'a>(&mut self, mut lines: &'a [u8]) -> Result<(), &'a [u8]> {
        while !lines.is_empty() {
            match self.sink.write(lines) {
                Ok(0) => return Err(lines),
                Ok(written) => lines = &lines[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    std::thread::sleep(FULL_PAUSE);
                }
                Err(_) => return Err(lines),
            }
        }
        self.sink.flush().map_err(|_| lines)
    }

    fn tell(&mut self) {
        let dropped = self.output.dropped();
        let is_early = |at: Instant| at.elapsed() < TELL_EVERY;
        if dropped == self.told || self.told_at.is_some_and(is_early) {
            return;
        }
        tracing::warn!(
            lines = dropped - self.told,
            "lines of the log were dropped: standard output is not read fast enough"
        );
        self.told = dropped;
        self.told_at = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    /// A reader that takes a chunk when it is asked to.
    struct Slow(SyncSender<Vec<u8>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (Output, Receiver<Vec<u8>>) {
        let (sender, receiver) = sync_channel(0);
        (Output::start(Slow(sender)).unwrap(), receiver)
    }

    #[test]
    fn a_reader_that_stalls_costs_bounded_memory_and_nobody_time() {
        let (output, reader) = slow();
        let line = [b"x".repeat(999), b"\n".to_vec()].concat();
        for _ in 0..5_000 {
            output.line(&line);
        }
        assert!(!output.flush(Duration::from_millis(1)));
        let mut taken = 0;
        while taken + usize::try_from(output.dropped()).unwrap() < 5_000 {
            let chunk = reader.recv_timeout(Duration::from_secs(10)).unwrap();
            assert!(chunk.len() <= CAPACITY);
            taken += chunk.len() / line.len();
        }
        assert!(output.flush(Duration::from_secs(10)));
        // What was being written, and what waited.
        assert!(taken <= 2 * CAPACITY / line.len(), "{taken}");
    }

    #[test]
    fn a_flush_waits_for_what_was_logged_before() {
        let (output, reader) = slow();
        output.line(b"a\n");
        output.line(b"b\n");
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            while all.len() < 4 {
                all.extend(reader.recv().unwrap());
            }
            all
        });
        assert!(output.flush(Duration::from_secs(10)));
        assert_eq!(reading.join().unwrap(), b"a\nb\n");
        assert_eq!(output.dropped(), 0);
    }

    #[test]
    fn a_reader_that_has_gone_costs_lines_and_nothing_else() {
        let (output, reader) = slow();
        drop(reader);
        output.line(b"a\nb\n");
        assert!(output.flush(Duration::from_secs(10)));
        assert_eq!(output.dropped(), 2);
    }
}

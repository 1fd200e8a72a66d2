use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;

use tokio::sync::Notify;

use super::*;
use crate::hub::Offer;

type Texts = PlainQueue<String>;

fn empty() -> Texts {
    PlainQueue::new(&MemoryBudget::new(usize::MAX, usize::MAX))
}

#[test]
fn a_queue_takes_less_when_all_together_hold_much_and_gives_back_what_is_written() {
    let memory = MemoryBudget::new(10 * MAX_BYTES, usize::MAX);
    let (queue, small) = (Texts::new(&memory), "x".repeat(MAX_BYTES / 8));
    assert_eq!(fill(&queue, Kind::Event, &small), 8);
    let mut others = memory.holder();
    others.set(9 * MAX_BYTES);
    while taken_now(&queue).is_some() {}
    assert_eq!((queue.bytes(), memory.used()), (0, others.bytes()));
    assert_eq!(fill(&queue, Kind::Event, &small), 1);
    assert!(memory.used() > others.bytes());
    queue.close();
    assert_eq!(
        memory.used(),
        others.bytes(),
        "nothing is kept for who goes"
    );
}

fn try_push(queue: &Texts, kind: Kind, text: &str) -> Offer {
    let mut intake = queue.intake();
    if intake.is_closed() {
        return Offer::Gone;
    }
    if !intake.has_room(kind, text.len()) {
        return Offer::Full;
    }
    intake.push(text.to_owned());
    Offer::Taken
}

fn fill(queue: &Texts, kind: Kind, text: &str) -> usize {
    let mut count = 0;
    while try_push(queue, kind, text) == Offer::Taken {
        count += 1;
    }
    count
}

fn taken_now(queue: &Texts) -> Option<String> {
    queue.next().now_or_never().flatten()
}

fn wake() -> Wake {
    Arc::new(Notify::new())
}

fn has_woken(wake: &Wake) -> bool {
    wake.notified().now_or_never().is_some()
}

#[test]
fn signals_stop_before_events_and_events_before_answers() {
    let queue = empty();
    let counts = [Kind::Signal, Kind::Event, Kind::Answer].map(|kind| fill(&queue, kind, "x"));
    assert_eq!(counts, [128, 128, 128]);
    assert_eq!(try_push(&queue, Kind::Answer, ""), Offer::Full);
}

#[test]
fn bytes_are_bounded_but_one_message_always_fits() {
    let queue = empty();
    let (large, small) = ("x".repeat(3 * 1024 * 1024), "x".repeat(100 * 1024));
    assert_eq!(fill(&queue, Kind::Event, &large), 1);
    assert_eq!(fill(&queue, Kind::Answer, "x"), 0);
    assert_eq!(taken_now(&queue), Some(large));
    assert_eq!(fill(&queue, Kind::Event, "x"), 0, "it is not written yet");
    assert_eq!(taken_now(&queue), None);
    assert_eq!(fill(&queue, Kind::Event, &small), 11);
    assert_eq!(fill(&queue, Kind::Answer, &small), 2);
}

#[test]
fn only_what_was_written_counts_as_taken() {
    let queue = empty();
    for text in ["a", "b", "c", "too long"] {
        try_push(&queue, Kind::Event, text);
    }
    assert_eq!(taken_now(&queue).as_deref(), Some("a"));
    assert_eq!(queue.try_next(3).as_deref(), Some("b"));
    assert_eq!(queue.try_next(3).as_deref(), Some("c"));
    assert_eq!(queue.try_next(3), None);
    assert_eq!(queue.left(), 0);
    assert_eq!(taken_now(&queue).as_deref(), Some("too long"));
    assert_eq!(queue.left(), 3);
    assert_eq!(taken_now(&queue), None);
    assert_eq!(queue.left(), 4);
}

#[test]
fn who_waits_is_woken_once_half_has_been_written() {
    let (queue, wake) = (empty(), wake());
    let count = fill(&queue, Kind::Event, "x");
    queue.wake_when_writable(&wake, || false);
    queue.wake_when_writable(&wake, || false);
    for written in 0..count / 2 {
        assert!(!has_woken(&wake), "after {written}");
        assert!(taken_now(&queue).is_some());
    }
    assert!(!has_woken(&wake), "the last one is on its way");
    assert!(taken_now(&queue).is_some());
    assert!(has_woken(&wake));
    assert!(taken_now(&queue).is_some());
    assert!(!has_woken(&wake), "once");
}

#[test]
fn who_waits_for_nothing_is_woken_at_once_unless_it_is_held_back() {
    let (queue, wake) = (empty(), wake());
    queue.wake_when_writable(&wake, || true);
    assert!(!has_woken(&wake));
    queue.wake_all();
    assert!(has_woken(&wake));
    queue.wake_when_writable(&wake, || false);
    assert!(has_woken(&wake));
    assert!(queue.0.lock().waiting.0.is_empty());
}

#[tokio::test]
async fn an_answer_waits_for_room_and_is_made_then() {
    let queue = Arc::new(empty());
    fill(&queue, Kind::Answer, "x");
    let waiting = Arc::clone(&queue);
    let pushed = async move {
        let write = |intake: &mut PlainIntake<'_, String>| {
            intake.push("answer".to_owned());
            Offer::Taken
        };
        waiting.push(Kind::Answer, 6, write).await
    };
    let mut pushed = std::pin::pin!(pushed);
    assert_eq!(pushed.as_mut().now_or_never(), None);
    while pushed.as_mut().now_or_never().is_none() {
        assert!(taken_now(&queue).is_some(), "nobody was let in");
    }
    let mut last = None;
    while let Some(text) = taken_now(&queue) {
        last = Some(text);
    }
    assert_eq!(last.as_deref(), Some("answer"));
}

#[test]
fn the_writer_is_woken_by_a_message_and_by_the_end() {
    #[derive(Default)]
    struct Woken(AtomicUsize);
    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let (queue, woken) = (empty(), Arc::new(Woken::default()));
    let waker = Waker::from(Arc::clone(&woken));
    let cx = &mut Context::from_waker(&waker);
    assert_eq!(queue.poll_next(cx), Poll::Pending);
    try_push(&queue, Kind::Event, "x");
    try_push(&queue, Kind::Event, "y");
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    for text in ["x", "y"] {
        assert_eq!(queue.poll_next(cx), Poll::Ready(Some(text.to_owned())));
    }
    assert_eq!(queue.poll_next(cx), Poll::Pending);
    queue.close();
    assert_eq!(woken.0.load(Ordering::Relaxed), 2);
    assert_eq!(queue.poll_next(cx), Poll::Ready(None));
}

#[test]
fn what_waits_is_written_after_a_gentle_end_and_dropped_at_a_cut() {
    let (queue, wake) = (empty(), wake());
    fill(&queue, Kind::Event, "x");
    queue.wake_when_writable(&wake, || false);
    queue.finish(true);
    assert!(has_woken(&wake), "there will be no room");
    assert_eq!(try_push(&queue, Kind::Event, "y"), Offer::Gone);
    assert!(queue.drained().now_or_never().is_none());
    assert_eq!(taken_now(&queue).as_deref(), Some("x"));
    queue.close();
    assert!(queue.drained().now_or_never().is_some());
    assert_eq!(queue.next().now_or_never(), Some(None));
    assert_eq!(queue.bytes(), 0);
}

#[test]
fn nothing_is_kept_while_nothing_waits() {
    let (queue, wake) = (empty(), wake());
    fill(&queue, Kind::Event, "x");
    queue.wake_when_writable(&wake, || false);
    let mut drained = std::pin::pin!(queue.drained());
    assert!(drained.as_mut().now_or_never().is_none());
    while taken_now(&queue).is_some() {}
    assert!(drained.now_or_never().is_some());
    let state = queue.0.lock();
    assert_eq!((state.queue.capacity(), state.waiting.0.capacity()), (0, 0));
    assert_eq!((state.bytes.bytes(), state.len()), (0, 0));
}

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;

use super::*;

type Texts = Outlet<String>;

fn outlet() -> Texts {
    Outlet::new(&MemoryBudget::new(usize::MAX, usize::MAX))
}

#[test]
fn an_outlet_takes_less_when_all_together_hold_much_and_gives_back_what_is_written() {
    let memory = MemoryBudget::new(10 * MAX_BYTES, usize::MAX);
    let (outlet, small) = (Texts::new(&memory), "x".repeat(MAX_BYTES / 8));
    assert_eq!(fill(&outlet, Kind::Event, &small), 8);
    let mut others = memory.holder();
    others.set(9 * MAX_BYTES);
    while taken_now(&outlet).is_some() {}
    assert_eq!((outlet.bytes(), memory.used()), (0, others.bytes()));
    assert_eq!(fill(&outlet, Kind::Event, &small), 1);
    assert!(memory.used() > others.bytes());
    outlet.close("slow_reader");
    assert_eq!(
        memory.used(),
        others.bytes(),
        "nothing is kept for who goes"
    );
}

fn fill(outlet: &Texts, kind: Kind, text: &str) -> usize {
    let mut count = 0;
    while outlet.try_push(kind, text.to_owned()) == Offer::Taken {
        count += 1;
    }
    count
}

fn taken_now(outlet: &Texts) -> Option<String> {
    outlet.next().now_or_never().flatten()
}

fn wake() -> Wake {
    Arc::new(Notify::new())
}

fn has_woken(wake: &Wake) -> bool {
    wake.notified().now_or_never().is_some()
}

#[test]
fn signals_stop_before_events_and_events_before_answers() {
    let outlet = outlet();
    let counts = [Kind::Signal, Kind::Event, Kind::Answer].map(|kind| fill(&outlet, kind, "x"));
    assert_eq!(counts, [128, 128, 128]);
    assert_eq!(outlet.try_push(Kind::Answer, String::new()), Offer::Full);
}

#[test]
fn bytes_are_bounded_but_one_message_always_fits() {
    let outlet = outlet();
    let (large, small) = ("x".repeat(3 * 1024 * 1024), "x".repeat(100 * 1024));
    assert_eq!(fill(&outlet, Kind::Event, &large), 1);
    assert_eq!(fill(&outlet, Kind::Answer, "x"), 0);
    assert_eq!(taken_now(&outlet), Some(large));
    assert_eq!(fill(&outlet, Kind::Event, "x"), 0, "it is not written yet");
    assert_eq!(taken_now(&outlet), None);
    assert_eq!(fill(&outlet, Kind::Event, &small), 11);
    assert_eq!(fill(&outlet, Kind::Answer, &small), 2);
}

#[test]
fn only_what_was_written_counts_as_taken() {
    let outlet = outlet();
    for text in ["a", "b", "c", "too long"] {
        outlet.try_push(Kind::Event, text.to_owned());
    }
    assert_eq!(taken_now(&outlet).as_deref(), Some("a"));
    assert_eq!(outlet.try_next(3).as_deref(), Some("b"));
    assert_eq!(outlet.try_next(3).as_deref(), Some("c"));
    assert_eq!(outlet.try_next(3), None);
    assert_eq!(outlet.taken(), 0);
    assert_eq!(taken_now(&outlet).as_deref(), Some("too long"));
    assert_eq!(outlet.taken(), 3);
    assert_eq!(taken_now(&outlet), None);
    assert_eq!(outlet.taken(), 4);
}

#[test]
fn who_waits_is_woken_once_half_has_been_written() {
    let (outlet, wake) = (outlet(), wake());
    let count = fill(&outlet, Kind::Event, "x");
    outlet.wake_when_writable(&wake, || false);
    outlet.wake_when_writable(&wake, || false);
    for written in 0..count / 2 {
        assert!(!has_woken(&wake), "after {written}");
        assert!(taken_now(&outlet).is_some());
    }
    assert!(!has_woken(&wake), "the last one is on its way");
    assert!(taken_now(&outlet).is_some());
    assert!(has_woken(&wake));
    assert!(taken_now(&outlet).is_some());
    assert!(!has_woken(&wake), "once");
}

#[test]
fn who_waits_for_nothing_is_woken_at_once_unless_it_is_held_back() {
    let (outlet, wake) = (outlet(), wake());
    outlet.wake_when_writable(&wake, || true);
    assert!(!has_woken(&wake));
    outlet.wake_all();
    assert!(has_woken(&wake));
    outlet.wake_when_writable(&wake, || false);
    assert!(has_woken(&wake));
    assert!(outlet.lock().waiting.is_empty());
}

#[tokio::test]
async fn an_answer_waits_for_room_and_is_made_then() {
    let outlet = Arc::new(outlet());
    fill(&outlet, Kind::Answer, "x");
    let waiting = Arc::clone(&outlet);
    let pushed = async move { waiting.push(Kind::Answer, || "answer".to_owned()).await };
    let mut pushed = std::pin::pin!(pushed);
    assert_eq!(pushed.as_mut().now_or_never(), None);
    while pushed.as_mut().now_or_never().is_none() {
        assert!(taken_now(&outlet).is_some(), "nobody was let in");
    }
    let mut last = None;
    while let Some(text) = taken_now(&outlet) {
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
    let (outlet, woken) = (outlet(), Arc::new(Woken::default()));
    let waker = Waker::from(Arc::clone(&woken));
    let cx = &mut Context::from_waker(&waker);
    assert_eq!(outlet.poll_next(cx), Poll::Pending);
    outlet.try_push(Kind::Event, "x".to_owned());
    outlet.try_push(Kind::Event, "y".to_owned());
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    for text in ["x", "y"] {
        assert_eq!(outlet.poll_next(cx), Poll::Ready(Some(text.to_owned())));
    }
    assert_eq!(outlet.poll_next(cx), Poll::Pending);
    outlet.close("test");
    assert_eq!(woken.0.load(Ordering::Relaxed), 2);
    assert_eq!(outlet.poll_next(cx), Poll::Ready(None));
    assert_eq!(outlet.reason(), Some("test"));
}

#[test]
fn what_waits_is_written_after_a_gentle_end_and_dropped_at_a_cut() {
    let (outlet, wake) = (outlet(), wake());
    fill(&outlet, Kind::Event, "x");
    outlet.wake_when_writable(&wake, || false);
    outlet.finish("drained");
    assert!(has_woken(&wake), "there will be no room");
    assert_eq!(outlet.try_push(Kind::Event, "y".to_owned()), Offer::Gone);
    assert!(outlet.drained().now_or_never().is_none());
    assert_eq!(taken_now(&outlet).as_deref(), Some("x"));
    outlet.close("slow_reader");
    assert!(outlet.drained().now_or_never().is_some());
    assert_eq!(outlet.next().now_or_never(), Some(None));
    assert_eq!((outlet.reason(), outlet.bytes()), (Some("drained"), 0));
}

#[test]
fn nothing_is_kept_while_nothing_waits() {
    let (outlet, wake) = (outlet(), wake());
    fill(&outlet, Kind::Event, "x");
    outlet.wake_when_writable(&wake, || false);
    let mut drained = std::pin::pin!(outlet.drained());
    assert!(drained.as_mut().now_or_never().is_none());
    while taken_now(&outlet).is_some() {}
    assert!(drained.now_or_never().is_some());
    let state = outlet.lock();
    assert_eq!((state.queue.capacity(), state.waiting.capacity()), (0, 0));
    assert_eq!((state.bytes.bytes(), state.len()), (0, 0));
}
